import { setTimeout as delay } from "node:timers/promises";
import { failureActions, type ProviderError } from "../shared/failure.ts";
import type { Log } from "../shared/log.ts";
import type { AttemptRecord } from "../shared/result.ts";
import { hasFailedAlone } from "./blame.ts";
import type { Gate } from "./gate.ts";

/** How long to wait for evidence whether the provider is away, before an attempt counts as burned. */
const evidenceMs = 300;
/** Most that one look for it counts: while this process stands still it hears of no other call. */
const lookMs = 50;

/** Learns from a lane's calls whether its provider is there, and says in the log when that changes. */
export class ProviderWatch {
  readonly #gate: Gate;
  readonly #log: Log;

  constructor(gate: Gate, log: Log) {
    this.#gate = gate;
    this.#log = log;
  }

  /** A call was answered sensibly, be it with a refusal. */
  answered(): void {
    if (!this.#gate.health.answered()) return;
    this.#log.info({}, "the provider answers again");
    this.#gate.wake();
  }

  /**
   * A call of the job failed, after these attempts. Gives whether that uses up an attempt: not when it tells of the lane (limits,
   * keys, a provider that is away).
   */
  async failed(
    failure: ProviderError,
    job: string,
    attempts: readonly AttemptRecord[] = [],
  ): Promise<boolean> {
    const { kind, sent, hostAway } = failure;
    if (hostAway !== undefined && kind !== "rate_limited") {
      // Says nothing of the provider, which another host may be by now, even where it was to probe it.
      this.#gate.health.abandoned();
      return !hostAway;
    }
    if (kind === "unavailable" || kind === "timeout")
      return !(await this.#missed(
        job,
        failure,
        hasFailedAlone(attempts, this.#gate.health.returnedAt),
      ));
    // What never went out, or is a bug of ours, tells nothing of the provider, even where it was to probe it.
    if (sent && kind !== "internal") this.answered();
    else this.#gate.health.abandoned();
    const action = failureActions[kind];
    return action === "retry" || action === "fail";
  }

  /** Waits a moment for evidence; true where the provider is away. */
  async #missed(
    job: string,
    { kind, sent, message }: ProviderError,
    isSuspect: boolean,
  ): Promise<boolean> {
    const { health } = this.#gate;
    const before = health.away;
    let away = health.missed(job, sent, { isLate: sent && kind === "timeout", isSuspect });
    for (let waitedMs = 0; !away && waitedMs < evidenceMs; waitedMs += lookMs) {
      await delay(lookMs);
      away = health.away;
    }
    if (away && !before)
      this.#log.warn(
        {},
        `the provider is away: one call at a time probes it, no attempt is burned (${message})`,
      );
    this.#gate.wake();
    return away;
  }
}
