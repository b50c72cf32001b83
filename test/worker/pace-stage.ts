import { laneKeys } from "../../shared/keys.ts";
import type { LaneLimits } from "../../shared/lane-limits.ts";
import type { RedisClient } from "../../shared/redis.ts";
import { chance } from "../../simulator/chance.ts";
import { shortDuration } from "../../simulator/retry-after.ts";
import { type LimitRefusal, tokenBuckets } from "../../simulator/limits.ts";
import { SimulatorSettings, type SimulatorOptions } from "../../simulator/settings.ts";
import { Pace } from "../../worker/pace.ts";
import { TokenCount } from "../../worker/token-count.ts";
import { type TokenGuess, tokensSetAside } from "../../worker/token-guess.ts";
import { readRateLimits } from "../../worker/providers/rate-limits.ts";
import { uniquePrefix } from "../helpers/redis.ts";

/** What calls take of a limit on tokens. */
export interface StagedTokens {
  guess: TokenGuess;
  /** What a call takes, by its place: the first is 1. */
  take: (place: number) => number;
  /** Whether answers tell it. Default: true. */
  areTold?: boolean;
  /** The share of it that the provider counts. Default: 1. */
  counted?: number;
}

/** A lane in a time of its own: as many workers as wanted against a provider with limits. */
export interface PaceStageOptions {
  workers: number;
  /** Calls of each worker at most. */
  concurrency: number;
  latencyMs: number;
  images: number;
  tokens?: StagedTokens;
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
  /** Other numbers make answers take other times. Default: 1. */
  seed?: number;
  /** The provider works on so many at once; the rest waits its turn there. */
  serves?: number;
  /**
   * Whether refusals say how long to wait, in whole seconds; `headers`: answers tell how the limits stand, too; `words`: refusals
   * name their limit and what they counted.
   */
  tells?: "time" | "headers" | "words" | "nothing";
}

/** One call, as the provider saw it. */
export interface StagedCall {
  at: number;
  images: number;
  /** That the provider counts. */
  tokens: number;
  admitted: boolean;
}

const networkMs = 3;

/** Plays a lane. Time passes only where something happens. */
export class PaceStage {
  readonly calls: StagedCall[] = [];
  readonly settings: SimulatorSettings;
  now = 1_000_000;
  /** May be changed at any time, as {@link settings} may. */
  mostInFlight: number;
  readonly #options: PaceStageOptions;
  readonly #limits = tokenBuckets(() => this.now);
  readonly #workers: {
    pace: Pace;
    calls: number;
    answered: number;
    latencyMs: number;
    tokens: TokenCount;
    asksAt: number;
  }[];
  /** The next one last. */
  readonly #events: { at: number; happens: () => Promise<void> }[] = [];
  #inFlight = 0;
  #left: number;

  constructor(redis: RedisClient, options: PaceStageOptions) {
    this.#options = options;
    this.settings = SimulatorSettings.parse(options.provider);
    this.mostInFlight = options.mostInFlight ?? Infinity;
    this.#left = options.prompts ?? Infinity;
    const keys = laneKeys(uniquePrefix(), "{lane}");
    this.#workers = Array.from({ length: options.workers }, (_, i) => ({
      pace: new Pace(redis, keys, `worker ${i}`, () => this.now),
      calls: 0,
      answered: 0,
      latencyMs: 0,
      tokens: new TokenCount(),
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

  /** What the provider let in during the last `ms`, and how many calls it refused. */
  last(ms: number): { images: number; tokens: number; refused: number; calls: number } {
    const calls = this.calls.filter(({ at }) => at > this.now - ms);
    const made = calls.filter(({ admitted }) => admitted);
    return {
      images: made.reduce((sum, { images }) => sum + images, 0),
      tokens: made.reduce((sum, { tokens }) => sum + tokens, 0),
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
    const { concurrency, images, tokens, limits = {} } = this.#options;
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
      tokens: worker.tokens.take(),
      images: Array.from({ length: waiting }, () => images),
      ...(tokens && { guesses: Array.from({ length: waiting }, () => tokens.guess) }),
    });
    const setAside = tokens && tokensSetAside(tokens.guess, grant);
    worker.calls += grant.calls;
    this.#left -= grant.calls;
    for (let call = 0; call < grant.calls; call++)
      this.#at(networkMs, () => this.#arrive(i, setAside));
    if (grant.calls === waiting) return;
    const asksAt = this.now + Math.max(1, grant.waitMs);
    worker.asksAt = asksAt;
    this.#at(Math.max(1, grant.waitMs), async () => {
      if (worker.asksAt === asksAt) await this.#ask(i);
    });
  }

  async #arrive(i: number, setAside: number | undefined): Promise<void> {
    const { latencyMs, images, tokens, serves = Infinity, seed = 1 } = this.#options;
    const worker = this.#workers[i]!;
    const taken = tokens?.take(this.calls.length + 1) ?? 0;
    const counted = taken * (tokens?.counted ?? 1);
    const refusal = this.#refusal(counted);
    this.calls.push({ at: this.now, images, tokens: counted, admitted: !refusal });
    if (refusal) return this.#at(networkMs, () => this.#refused(i, refusal));
    this.#inFlight += 1;
    const turn = Math.max(1, Math.ceil(this.#inFlight / serves));
    const takesMs = turn * latencyMs * (0.8 + 0.4 * chance(seed, this.calls.length, 1));
    this.#at(takesMs, async () => {
      this.#inFlight -= 1;
      worker.calls -= 1;
      worker.answered += 1;
      worker.latencyMs += takesMs;
      const { guess, areTold = true } = tokens ?? {};
      if (guess && areTold) worker.tokens.add({ totalTokens: taken }, { guess, setAside });
      await this.#tell(worker.pace);
      await this.#ask(i);
    });
  }

  /** Why the provider refuses the call that comes now; undefined: it does not. */
  #refusal(tokens: number): StagedRefusal | undefined {
    const { images, namesMostInFlight = true, tells = "time" } = this.#options;
    const { hiccups = [], hiccupWaitMs } = this.#options;
    if (hiccups.includes(this.calls.length + 1))
      return { kind: "rate", retryAfterMs: hiccupWaitMs };
    if (this.#inFlight >= this.mostInFlight) {
      return { kind: namesMostInFlight ? "concurrency" : "rate", retryAfterMs: undefined };
    }
    const over = this.#limits.admit(this.settings, images, tokens);
    return (
      over && {
        kind: "rate",
        retryAfterMs: tells === "nothing" ? undefined : wholeSeconds(over),
        ...(tells === "words" && namedBy(over)),
      }
    );
  }

  async #refused(i: number, refusal: StagedRefusal): Promise<void> {
    const worker = this.#workers[i]!;
    worker.calls -= 1;
    this.#left += 1;
    const { images, tokens } = this.#options;
    const { calls } = worker;
    await this.#tell(worker.pace);
    await worker.pace.refused({
      ...refusal,
      ageMs: 2 * networkMs,
      images,
      message: "refused",
      calls,
      guess: tokens?.guess,
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
  limits?: LaneLimits;
  tokensCounted?: number;
}

/** What the words of a refusal tell. */
function namedBy({ unit, limit, requested }: LimitRefusal) {
  return {
    limits: { [`${unit}PerMinute`]: limit },
    ...(unit === "tokens" && { tokensCounted: requested }),
  };
}

function wholeSeconds({ waitMs }: LimitRefusal): number | undefined {
  return waitMs === undefined ? undefined : Math.ceil(waitMs / 1000) * 1000;
}
