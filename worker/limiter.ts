import type { ProviderErrorDetails } from "../shared/failure.ts";
import { LaneLimits } from "../shared/lane-limits.ts";
import { asError } from "../shared/caught.ts";
import type { Usage } from "../shared/result.ts";
import type { Grant, Pace } from "./pace.ts";
import { count } from "../shared/quantity.ts";
import { TokenCount } from "./token-count.ts";
import { type TokenGuess, tokensSetAside } from "./token-guess.ts";

/** Leave to make one call. It ends with the provider's answer. */
export interface Permit {
  readonly images: number;
  readonly guess: TokenGuess;
  /** Tokens that the lane keeps for it until it is answered; undefined where it has no limit on them. */
  readonly setAside: number | undefined;
  /** When the call may have started, by `performance.now()`. */
  readonly startedAt: number;
}

interface Waiter {
  images: number;
  guess: TokenGuess;
  /** Throws where the job has to leave; false where something else keeps the call from starting now. */
  mayStart: () => boolean;
  resolve: (permit: Permit | undefined) => void;
  reject: (error: unknown) => void;
}

/** Calls asked for in one round trip at most. */
const mostAsked = 100;
const afterErrorMs = 500;
const takesNoTokens: TokenGuess = { tokens: 0, isKnown: true };
const limitNames = LaneLimits.keyof().options;
/** What the provider tells of its limits is kept for a minute. */
const tellAgainMs = 15_000;

/**
 * Starts a worker's calls at the lane's pace. Calls wait here, in order; all that wait are asked for in one round trip, and
 * there is never more than one on its way. Leaves nothing behind in Redis that a dead worker would have to give back.
 */
export class Limiter {
  readonly #pace: Pace;
  readonly #mostCalls: number;
  readonly #onError: (error: Error) => void;
  readonly #inFlight = new Set<Permit>();
  /** How long the lane has to wait at least, as far as this worker knows. */
  heldMs = (): number => 0;
  #waiters: Waiter[] = [];
  #limits: LaneLimits = {};
  #asking = false;
  #timer: NodeJS.Timeout | undefined;
  #last: Grant | undefined;
  #answered = 0;
  #latencyMs = 0;
  #recentCalls = 0;
  readonly #tokens = new TokenCount();
  #told: LaneLimits = {};
  #toldAt = 0;

  /** @param mostCalls in flight in this worker at once */
  constructor(pace: Pace, mostCalls: number, onError: (error: Error) => void) {
    this.#pace = pace;
    this.#mostCalls = mostCalls;
    this.#onError = onError;
  }

  /** What the lane's runs and the profile allow. */
  set limits(limits: LaneLimits) {
    this.#limits = limits;
  }

  /** Images that one call should ask for at most, as far as the lane knows; `each`: the tokens that one may take. */
  mostPerCall(each = () => takesNoTokens): number {
    const { imagesPerMinute = Infinity } = this.#limits;
    const { perCall = 0, tokensPerMinute = 0, tokenFactor = 0 } = this.#last ?? {};
    const tokens = tokensPerMinute > 0 && tokensSetAside(each(), { tokensPerMinute, tokenFactor });
    const byTokens = tokens ? tokensPerMinute / tokens : Infinity;
    return Math.max(1, Math.floor(Math.min(perCall || Infinity, imagesPerMinute, byTokens)));
  }

  /** Why calls wait, for the heartbeat. */
  get waitingFor(): string | undefined {
    if (this.#waiters.length === 0 || !this.#isSlowed) return undefined;
    const { imagesPerMinute, tokensPerMinute, why } = this.#last!;
    if (why === "tokens") return `rate limit, ${count(tokensPerMinute)} tokens/min`;
    return imagesPerMinute > 0 ? `rate limit, about ${imagesPerMinute} images/min` : "rate limit";
  }

  /**
   * Calls that are worth having jobs for: while the pace is slower than the most would be, those in flight and a few more, so
   * that the rest stays in the queue for whoever is next.
   */
  wantedCalls(): number {
    this.#recentCalls = Math.max(this.#inFlight.size, this.#recentCalls * 0.9);
    if (!this.#isSlowed) return this.#mostCalls;
    return Math.min(this.#mostCalls, Math.ceil(this.#recentCalls * 1.5) + 4);
  }

  /** Calls that may start before this worker has all in flight that it may. */
  get #free(): number {
    return Math.max(0, this.#mostCalls - this.#inFlight.size);
  }

  get #isSlowed(): boolean {
    const { why = "" } = this.#last ?? {};
    return why !== "" && why !== "window";
  }

  /**
   * Resolves when a call for so many images may start; with undefined where `mayStart` says that something else keeps it
   * from starting. Rejects with what `mayStart` throws. `guess`: the tokens that it may take.
   */
  async enter(
    images: number,
    mayStart: () => boolean,
    guess: TokenGuess = takesNoTokens,
  ): Promise<Permit | undefined> {
    return await new Promise((resolve, reject) => {
      this.#waiters.push({ images, guess, mayStart, resolve, reject });
      if (!this.#timer) this.#ask();
    });
  }

  /** Lets everybody who waits look whether they still may. */
  wake(): void {
    this.#waiters = this.#waiters.filter((waiter) => this.#stays(waiter));
    if (this.#waiters.length > 0) return;
    // Nobody is left to ask for: a process that has nothing else to do must not live for it.
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  /** The provider made images, and told limits and what it counted with them. */
  answered(permit: Permit, { limits, usage }: { limits?: LaneLimits; usage?: Usage } = {}): void {
    if (limits) this.#tell(limits);
    if (!this.#inFlight.has(permit)) return;
    this.#tokens.add(usage, permit);
    this.#answered += 1;
    this.#latencyMs += performance.now() - permit.startedAt;
    this.ended(permit);
  }

  /** The call came to an end that tells nothing of the pace. Does nothing for one that has ended already. */
  ended(permit: Permit): void {
    const wasFull = this.#free === 0;
    if (!this.#inFlight.delete(permit)) return;
    if (wasFull || this.#last?.why === "window") this.#ask();
  }

  /** The provider has no time for so much: the lane waits, and goes on more slowly. Gives the milliseconds of the wait. */
  async refused(
    permit: Permit,
    refusal: Pick<ProviderErrorDetails, "retryAfterMs" | "limits" | "tokensCounted"> & {
      message: string;
    },
  ): Promise<number> {
    this.#inFlight.delete(permit);
    const { message, retryAfterMs, limits, tokensCounted } = refusal;
    try {
      return await this.#pace.refused({
        ageMs: performance.now() - permit.startedAt,
        images: permit.images,
        kind: /concurren|simultaneous|in parallel/i.test(message) ? "concurrency" : "rate",
        retryAfterMs,
        message,
        calls: this.#inFlight.size,
        limits,
        tokensCounted,
        guess: permit.guess,
      });
    } finally {
      // Its place is free for others, whether or not the lane could be told.
      if (!this.#timer) this.#ask();
    }
  }

  /** One of several hosts refused the call, for its own sake: it is made again elsewhere, and counts as let in only then. */
  async turnedAway(permit: Permit): Promise<void> {
    this.ended(permit);
    await this.#pace.turnedAway(permit.images);
  }

  /** The call was not answered in time: the lane has too many in flight. */
  slow(permit: Permit): void {
    this.ended(permit);
    const ageMs = performance.now() - permit.startedAt;
    this.#pace.slow(ageMs).catch((error: unknown) => this.#onError(asError(error)));
  }

  /** What is left of a hold that the lane had, though Redis may have lost it: {@link Pace.keep}. */
  async keepHold(ms: number): Promise<number> {
    return await this.#pace.keep(ms, "a refusal that Redis has forgotten");
  }

  /** The lane waits for so long at least. */
  async hold(ms: number, reason: string): Promise<void> {
    await this.#pace.hold(ms, reason);
  }

  /** The provider refuses calls for more images than this, whoever makes them. */
  async tooMany(most: number): Promise<void> {
    await this.#pace.told({}, most);
    await this.refresh();
  }

  /**
   * Learns what the lane has learned, and tells it how many calls are in flight here. Gives the milliseconds that the lane has
   * to wait: whoever reads the time to live of its hold instead is wrong for once where Redis' clock went back.
   */
  async refresh(): Promise<number> {
    const grant = await this.#take([]);
    const why = this.#waiters.length > 0 ? (this.#last?.why ?? "") : "";
    this.#last = { ...grant, why };
    return grant.holdMs;
  }

  /** What the provider tells with each answer is told to the lane when it is news, and now and then. */
  #tell(limits: LaneLimits): void {
    const now = performance.now();
    const isNews = limitNames.some((name) => this.#told[name] !== limits[name]);
    if (!isNews && now - this.#toldAt < tellAgainMs) return;
    this.#told = limits;
    this.#toldAt = now;
    this.#pace.told(limits).catch((error: unknown) => this.#onError(asError(error)));
  }

  #ask(): void {
    if (this.#asking || this.#waiters.length === 0 || this.#free === 0) return;
    this.#asking = true;
    clearTimeout(this.#timer);
    this.#timer = undefined;
    // Calls that end in the same turn of the event loop are followed by others: they are asked for together.
    setImmediate(() => void this.#askNow());
  }

  async #askNow(): Promise<void> {
    let waitMs = 0;
    try {
      const heldMs = this.heldMs();
      if (heldMs > 0) await this.keepHold(heldMs);
      const asked = this.#waiters.slice(0, Math.min(mostAsked, this.#free));
      const grant = await this.#take(asked);
      this.#last = grant;
      this.#start(asked.slice(0, grant.calls));
      if (grant.calls < asked.length) waitMs = Math.max(1, grant.waitMs);
    } catch (error) {
      this.#onError(asError(error));
      waitMs = afterErrorMs;
    }
    this.#asking = false;
    if (this.#waiters.length === 0) return;
    if (waitMs === 0) this.#ask();
    else {
      this.#timer = setTimeout(() => {
        this.#timer = undefined;
        this.#ask();
      }, waitMs);
    }
  }

  async #take(asked: readonly Waiter[]): Promise<Grant> {
    const answered = this.#answered;
    const latencyMs = answered > 0 ? this.#latencyMs / answered : 0;
    this.#answered = 0;
    this.#latencyMs = 0;
    return await this.#pace.take({
      calls: this.#inFlight.size,
      answered,
      latencyMs,
      tokens: this.#tokens.take(),
      limits: this.#limits,
      images: asked.map(({ images }) => images),
      guesses: asked.map(({ guess }) => guess),
    });
  }

  /** Those that left while the answer was on its way have wasted their place, no more. */
  #start(granted: readonly Waiter[]): void {
    const places = new Set(granted);
    const startedAt = performance.now();
    const leaving = this.#waiters.filter((waiter) => places.has(waiter) && this.#stays(waiter));
    this.#waiters = this.#waiters.filter((waiter) => !places.has(waiter));
    for (const { images, guess, resolve } of leaving) {
      const permit = { images, guess, setAside: tokensSetAside(guess, this.#last!), startedAt };
      this.#inFlight.add(permit);
      resolve(permit);
    }
  }

  /** Sends a waiter away where it may not start any more. */
  #stays({ mayStart, resolve, reject }: Waiter): boolean {
    try {
      if (mayStart()) return true;
      resolve(undefined);
    } catch (error) {
      reject(error);
    }
    return false;
  }
}
