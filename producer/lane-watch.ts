import type { Heartbeat } from "../shared/heartbeat.ts";
import type { LaneClient } from "./lane-client.ts";
import { stopOfPause, type StopReason } from "./stop.ts";

/** Longer than the heartbeat of a worker that died counts. */
const refusedMs = 10_000;

/** A run's view of its lane: who works there, and since when nothing can go on. */
export class LaneWatch {
  readonly #run: string;
  readonly #lane: LaneClient;
  readonly #giveUpAfterMs: number;
  #heartbeats: readonly Heartbeat[] = [];
  #runs = 1;
  #isPaused = false;
  #answeredAt = Date.now();
  #blockedSince: number | undefined;
  #refusedSince: number | undefined;
  #unwrittenSince: number | undefined;

  /** `giveUpAfterMs`: how long Redis or storage may be away before the run stops. */
  constructor(run: string, lane: LaneClient, giveUpAfterMs: number) {
    this.#run = run;
    this.#lane = lane;
    this.#giveUpAfterMs = giveUpAfterMs;
  }

  /** Living workers, as last seen. */
  get heartbeats(): readonly Heartbeat[] {
    return this.#heartbeats;
  }

  /** Whether somebody paused the run. */
  get isPaused(): boolean {
    return this.#isPaused;
  }

  /** Running runs that share the lane, as last seen. */
  get runs(): number {
    return this.#runs;
  }

  /** Looks at the lane. Gives the reason to stop, where a person has to mend something. */
  async look(): Promise<StopReason | undefined> {
    const state = await this.#lane.state();
    this.#heartbeats = await this.#lane.heartbeats();
    this.#runs = await this.#lane.beat(this.#run, state);
    const own = state.runs.get(this.#run);
    this.#isPaused = own?.state === "paused";
    this.answered();
    if (own?.state === "cancelled") return { state: "cancelled", text: own.reason ?? "cancelled" };
    return stopOfPause(state) ?? this.#blocked() ?? this.#refused();
  }

  /** Redis did what it was asked for. */
  answered(): void {
    this.#answeredAt = Date.now();
  }

  /** Redis did not. Gives the reason to stop once that has lasted too long. */
  missed(error: Error): StopReason | undefined {
    if (Date.now() - this.#answeredAt < this.#giveUpAfterMs) return undefined;
    return {
      state: "stopped",
      text: `queue: ${error.message} (bring Redis back, then run the same command again)`,
    };
  }

  /** The run directory could be written to. */
  written(): void {
    this.#unwrittenSince = undefined;
  }

  /** It could not. Gives the reason to stop once that has lasted too long. */
  notWritten(error: Error): StopReason | undefined {
    this.#unwrittenSince ??= Date.now();
    if (Date.now() - this.#unwrittenSince < this.#giveUpAfterMs) return undefined;
    const text = `storage: ${error.message} (mend it, then run the same command again)`;
    return { state: "stopped", text };
  }

  /** Whether the provider has refused the keys of all workers for a while. */
  #refused(): StopReason | undefined {
    const isRefused = this.#heartbeats.length > 0 && this.#heartbeats.every((beat) => !beat.fit);
    if (!isRefused) this.#refusedSince = undefined;
    else this.#refusedSince ??= Date.now();
    if (this.#refusedSince === undefined || Date.now() - this.#refusedSince < refusedMs)
      return undefined;
    const text =
      "auth: the provider refused the keys of all workers (give them another, then run the same command again)";
    return { state: "stopped", text };
  }

  /** Whether no worker could store images for too long. */
  #blocked(): StopReason | undefined {
    const fit = this.#heartbeats.filter((beat) => beat.fit);
    const waiting = fit.find((beat) => beat.waiting?.startsWith("storage:"))?.waiting;
    const isBlocked =
      waiting !== undefined && fit.every((beat) => beat.waiting?.startsWith("storage:"));
    if (!isBlocked) this.#blockedSince = undefined;
    else this.#blockedSince ??= Date.now();
    if (this.#blockedSince === undefined || Date.now() - this.#blockedSince < this.#giveUpAfterMs)
      return undefined;
    return { state: "stopped", text: `${waiting} (mend it, then run the same command again)` };
  }
}
