import { laneKeys } from "../../shared/keys.ts";
import type { LaneLimits } from "../../shared/lane-limits.ts";
import type { RedisClient } from "../../shared/redis.ts";
import { chance } from "../../simulator/chance.ts";
import { shortDuration } from "../../simulator/retry-after.ts";
import { type LimitRefusal, tokenBuckets } from "../../simulator/limits.ts";
import { SimulatorSettings, type SimulatorOptions } from "../../simulator/settings.ts";
import { Pace } from "../../worker/pace.ts";
import { readRateLimits } from "../../worker/providers/rate-limits.ts";
import { uniquePrefix } from "../helpers/redis.ts";

/** A lane in a time of its own: as many workers as wanted against a provider with limits. */
export interface PaceStageOptions {
  workers: number;
  /** Calls of each worker at most. */
  concurrency: number;
  latencyMs: number;
  images: number;
  limits?: LaneLimits;
  provider: SimulatorOptions;
  /** Refuses a call that would be one more than so many in flight. */
  mostInFlight?: number;
  /** Whether such a refusal says that this is why. Default: true. */
  namesMostInFlight?: boolean;
  /** Calls that are refused for no reason at all, by their place: the first is 1. */
  hiccups?: readonly number[];
  /** How long such a refusal says that the lane should wait, in milliseconds. Default: it says nothing. */
  hiccupWaitMs?: number;
  /** Calls that there are to make. Default: without end. */
  prompts?: number;
  /** The provider works on so many at once; the rest waits its turn there. */
  serves?: number;
  /** Whether refusals say how long to wait, in whole seconds; `headers`: answers tell how the limits stand, too. */
  tells?: "time" | "headers" | "nothing";
}

/** One call, as the provider saw it. */
export interface StagedCall {
  at: number;
  images: number;
  admitted: boolean;
}

const networkMs = 3;

/** Plays a lane. Time passes only where something happens. */
export class PaceStage {
  readonly calls: StagedCall[] = [];
  readonly settings: SimulatorSettings;
  now = 1_000_000;
  readonly #options: PaceStageOptions;
  readonly #limits = tokenBuckets(() => this.now);
  readonly #workers: {
    pace: Pace;
    calls: number;
    answered: number;
    latencyMs: number;
    asksAt: number;
  }[];
  /** The next one last. */
  readonly #events: { at: number; happens: () => Promise<void> }[] = [];
  #inFlight = 0;
  #left: number;

  constructor(redis: RedisClient, options: PaceStageOptions) {
    this.#options = options;
    this.settings = SimulatorSettings.parse(options.provider);
    this.#left = options.prompts ?? Infinity;
    const keys = laneKeys(uniquePrefix(), "{lane}");
    this.#workers = Array.from({ length: options.workers }, (_, i) => ({
      pace: new Pace(redis, keys, `worker ${i}`, () => this.now),
      calls: 0,
      answered: 0,
      latencyMs: 0,
      asksAt: 0,
    }));
    for (let i = 0; i < options.workers; i++) this.#at(i, () => this.#ask(i));
  }

  /** Calls that the provider works on now. */
  get inFlight(): number {
    return this.#inFlight;
  }

  /** Lets so much time pass. */
  async pass(ms: number): Promise<void> {
    const until = this.now + ms;
    for (;;) {
      const next = this.#events.at(-1);
      if (!next || next.at > until) break;
      this.#events.pop();
      this.now = Math.max(this.now, next.at);
      await next.happens();
    }
    this.now = until;
  }

  /** Images that the provider made in the last `ms`, and the share of calls that it refused. */
  last(ms: number): { images: number; refused: number; calls: number } {
    const calls = this.calls.filter(({ at }) => at > this.now - ms);
    const made = calls.filter(({ admitted }) => admitted);
    return {
      images: made.reduce((sum, { images }) => sum + images, 0),
      refused: calls.length - made.length,
      calls: calls.length,
    };
  }

  #at(delayMs: number, happens: () => Promise<void>): void {
    const at = this.now + delayMs;
    let [from, to] = [0, this.#events.length];
    while (from < to) {
      const middle = (from + to) >> 1;
      if (this.#events[middle]!.at > at) from = middle + 1;
      else to = middle;
    }
    this.#events.splice(from, 0, { at, happens });
  }

  async #ask(i: number): Promise<void> {
    const worker = this.#workers[i]!;
    const { concurrency, images, limits = {} } = this.#options;
    const waiting = Math.min(this.#left, concurrency - worker.calls);
    if (waiting <= 0) return;
    const { answered, calls } = worker;
    const latencyMs = answered > 0 ? worker.latencyMs / answered : 0;
    worker.answered = 0;
    worker.latencyMs = 0;
    const grant = await worker.pace.take({
      calls,
      answered,
      latencyMs,
      limits,
      images: Array.from({ length: waiting }, () => images),
    });
    worker.calls += grant.calls;
    this.#left -= grant.calls;
    for (let call = 0; call < grant.calls; call++) this.#at(networkMs, () => this.#arrive(i));
    if (grant.calls === waiting) return;
    const asksAt = this.now + Math.max(1, grant.waitMs);
    worker.asksAt = asksAt;
    this.#at(Math.max(1, grant.waitMs), async () => {
      if (worker.asksAt === asksAt) await this.#ask(i);
    });
  }

  async #arrive(i: number): Promise<void> {
    const { latencyMs, images, serves = Infinity } = this.#options;
    const worker = this.#workers[i]!;
    const refusal = this.#refusal();
    this.calls.push({ at: this.now, images, admitted: !refusal });
    if (refusal) return this.#at(networkMs, () => this.#refused(i, refusal));
    this.#inFlight += 1;
    const turn = Math.max(1, Math.ceil(this.#inFlight / serves));
    const takesMs = turn * latencyMs * (0.8 + 0.4 * chance(1, this.calls.length, 1));
    this.#at(takesMs, async () => {
      this.#inFlight -= 1;
      worker.calls -= 1;
      worker.answered += 1;
      worker.latencyMs += takesMs;
      await this.#tell(worker.pace);
      await this.#ask(i);
    });
  }

  /** Why the provider refuses the call that comes now; undefined: it does not. */
  #refusal(): StagedRefusal | undefined {
    const { images, mostInFlight = Infinity, namesMostInFlight = true } = this.#options;
    const { hiccups = [], hiccupWaitMs, tells = "time" } = this.#options;
    if (hiccups.includes(this.calls.length + 1))
      return { kind: "rate", retryAfterMs: hiccupWaitMs };
    if (this.#inFlight >= mostInFlight) {
      return { kind: namesMostInFlight ? "concurrency" : "rate", retryAfterMs: undefined };
    }
    const waitMs = this.#limits.admit(this.settings, images);
    return (
      waitMs && {
        kind: "rate",
        retryAfterMs: tells === "nothing" ? undefined : wholeSeconds(waitMs),
      }
    );
  }

  async #refused(i: number, refusal: StagedRefusal): Promise<void> {
    const worker = this.#workers[i]!;
    worker.calls -= 1;
    this.#left += 1;
    const { images } = this.#options;
    const { calls } = worker;
    await this.#tell(worker.pace);
    await worker.pace.refused({
      ...refusal,
      ageMs: 2 * networkMs,
      images,
      message: "refused",
      calls,
    });
    await this.#ask(i);
  }

  /** What the headers of an answer say of the limits. */
  async #tell(pace: Pace): Promise<void> {
    if (this.#options.tells !== "headers") return;
    const headers = this.#limits
      .standings(this.settings)
      .flatMap<[string, string]>(({ unit, limit, remaining, resetMs }) => [
        [`x-ratelimit-limit-${unit}`, String(limit)],
        [`x-ratelimit-remaining-${unit}`, String(remaining)],
        [`x-ratelimit-reset-${unit}`, shortDuration(resetMs)],
      ]);
    const limits = readRateLimits(new Headers(headers));
    if (limits) await pace.told(limits);
  }
}

interface StagedRefusal {
  kind: "rate" | "concurrency";
  retryAfterMs: number | undefined;
}

function wholeSeconds({ waitMs }: LimitRefusal): number | undefined {
  return waitMs === undefined ? undefined : Math.ceil(waitMs / 1000) * 1000;
}
