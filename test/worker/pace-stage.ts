import { laneKeys } from "../../shared/keys.ts";
import type { LaneLimits } from "../../shared/lane-limits.ts";
import type { RedisClient } from "../../shared/redis.ts";
import { chance } from "../../simulator/chance.ts";
import { type LimitRefusal, tokenBuckets } from "../../simulator/limits.ts";
import { SimulatorSettings, type SimulatorOptions } from "../../simulator/settings.ts";
import { Pace } from "../../worker/pace.ts";
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
  /** Refuses a call that would be one more than so many in flight, and says that this is why. */
  mostInFlight?: number;
  /** The provider works on so many at once; the rest waits its turn there. */
  serves?: number;
  /** Whether refusals say how long to wait, in whole seconds. */
  tellsToWait?: boolean;
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
  #events: { at: number; happens: () => Promise<void> }[] = [];
  #inFlight = 0;

  constructor(redis: RedisClient, options: PaceStageOptions) {
    this.#options = options;
    this.settings = SimulatorSettings.parse(options.provider);
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
      this.#events.sort((a, b) => a.at - b.at);
      const next = this.#events[0];
      if (!next || next.at > until) break;
      this.#events.shift();
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
    this.#events.push({ at: this.now + delayMs, happens });
  }

  async #ask(i: number): Promise<void> {
    const worker = this.#workers[i]!;
    const { concurrency, images, limits = {} } = this.#options;
    const waiting = concurrency - worker.calls;
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
    for (let call = 0; call < grant.calls; call++) this.#at(networkMs, () => this.#arrive(i));
    if (grant.calls === waiting) return;
    const asksAt = this.now + Math.max(1, grant.waitMs);
    worker.asksAt = asksAt;
    this.#at(Math.max(1, grant.waitMs), async () => {
      if (worker.asksAt === asksAt) await this.#ask(i);
    });
  }

  async #arrive(i: number): Promise<void> {
    const {
      latencyMs,
      images,
      mostInFlight = Infinity,
      serves = Infinity,
      tellsToWait = true,
    } = this.#options;
    const worker = this.#workers[i]!;
    const tooMany = this.#inFlight >= mostInFlight;
    const refusal = tooMany ? undefined : this.#limits.admit(this.settings, images);
    const admitted = !tooMany && !refusal;
    this.calls.push({ at: this.now, images, admitted });
    if (admitted) {
      this.#inFlight += 1;
      const turn = Math.max(1, Math.ceil(this.#inFlight / serves));
      const takesMs = turn * latencyMs * (0.8 + 0.4 * chance(1, this.calls.length, 1));
      this.#at(takesMs, async () => {
        this.#inFlight -= 1;
        worker.calls -= 1;
        worker.answered += 1;
        worker.latencyMs += takesMs;
        await this.#ask(i);
      });
      return;
    }
    this.#at(networkMs, async () => {
      worker.calls -= 1;
      await worker.pace.refused({
        ageMs: 2 * networkMs,
        images,
        kind: tooMany ? "concurrency" : "rate",
        retryAfterMs: tellsToWait ? secondsToWait(refusal) : undefined,
        message: "refused",
        calls: worker.calls,
      });
      await this.#ask(i);
    });
  }
}

function secondsToWait(refusal: LimitRefusal | undefined): number | undefined {
  return refusal?.waitMs === undefined ? undefined : Math.ceil(refusal.waitMs / 1000) * 1000;
}
