import type { ProviderErrorDetails } from "../shared/failure.ts";
import type { LaneLimits } from "../shared/lane-limits.ts";
import { asError } from "../shared/caught.ts";
import type { Grant, Pace } from "./pace.ts";

/** Leave to make one call. It ends with the provider's answer. */
export interface Permit {
  readonly images: number;
  /** When the call may have started, by `performance.now()`. */
  readonly startedAt: number;
}

interface Waiter {
  images: number;
  /** Throws where the job has to leave; false where something else keeps the call from starting now. */
  mayStart: () => boolean;
  resolve: (permit: Permit | undefined) => void;
  reject: (error: unknown) => void;
}

/** Calls asked for in one round trip at most. */
const mostAsked = 100;
const afterErrorMs = 500;
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
  #waiters: Waiter[] = [];
  #limits: LaneLimits = {};
  #asking = false;
  #timer: NodeJS.Timeout | undefined;
  #last: Grant | undefined;
  #answered = 0;
  #latencyMs = 0;
  #recentCalls = 0;
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

  /** Images that one call should ask for at most, as far as the lane knows. */
  get mostPerCall(): number {
    const { imagesPerMinute = Infinity } = this.#limits;
    return Math.max(1, Math.min(this.#last?.perCall || Infinity, Math.floor(imagesPerMinute)));
  }

  /** Why calls wait, for the heartbeat. */
  get waitingFor(): string | undefined {
    if (this.#waiters.length === 0 || !this.#isSlowed) return undefined;
    const { imagesPerMinute } = this.#last!;
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
    return this.#last?.why === "rate" || this.#last?.why === "hold";
  }

  /**
   * Resolves when a call for so many images may start; with undefined where `mayStart` says that something else keeps it
   * from starting. Rejects with what `mayStart` throws.
   */
  async enter(images: number, mayStart: () => boolean): Promise<Permit | undefined> {
    return await new Promise((resolve, reject) => {
      this.#waiters.push({ images, mayStart, resolve, reject });
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

  /** The provider made images; `told` are limits that it told with them. */
  answered(permit: Permit, told?: LaneLimits): void {
    if (told) this.#tell(told);
    if (!this.#inFlight.has(permit)) return;
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
    refusal: Pick<ProviderErrorDetails, "retryAfterMs" | "limits"> & { message: string },
  ): Promise<number> {
    this.#inFlight.delete(permit);
    const { message, retryAfterMs, limits } = refusal;
    try {
      return await this.#pace.refused({
        ageMs: performance.now() - permit.startedAt,
        images: permit.images,
        kind: /concurren|simultaneous|in parallel/i.test(message) ? "concurrency" : "rate",
        retryAfterMs,
        message,
        calls: this.#inFlight.size,
        limits,
      });
    } finally {
      // Its place is free for others, whether or not the lane could be told.
      if (!this.#timer) this.#ask();
    }
  }

  /** The call was not answered in time: the lane has too many in flight. */
  slow(permit: Permit): void {
    this.ended(permit);
    const ageMs = performance.now() - permit.startedAt;
    this.#pace.slow(ageMs).catch((error: unknown) => this.#onError(asError(error)));
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

  /** Learns what the lane has learned, and tells it how many calls are in flight here. */
  async refresh(): Promise<void> {
    const grant = await this.#take([]);
    const why = this.#waiters.length > 0 ? (this.#last?.why ?? "") : "";
    this.#last = { ...grant, why };
  }

  /** What the provider tells with each answer is told to the lane when it is news, and now and then. */
  #tell(limits: LaneLimits): void {
    const now = performance.now();
    const { imagesPerMinute, requestsPerMinute } = this.#told;
    const isNews =
      imagesPerMinute !== limits.imagesPerMinute || requestsPerMinute !== limits.requestsPerMinute;
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
      const asked = this.#waiters.slice(0, Math.min(mostAsked, this.#free));
      const grant = await this.#take(asked.map(({ images }) => images));
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

  async #take(images: number[]): Promise<Grant> {
    const answered = this.#answered;
    const latencyMs = answered > 0 ? this.#latencyMs / answered : 0;
    this.#answered = 0;
    this.#latencyMs = 0;
    const calls = this.#inFlight.size;
    return await this.#pace.take({ calls, answered, latencyMs, limits: this.#limits, images });
  }

  /** Those that left while the answer was on its way have wasted their place, no more. */
  #start(granted: readonly Waiter[]): void {
    const places = new Set(granted);
    const startedAt = performance.now();
    const leaving = this.#waiters.filter((waiter) => places.has(waiter) && this.#stays(waiter));
    this.#waiters = this.#waiters.filter((waiter) => !places.has(waiter));
    for (const { images, resolve } of leaving) {
      const permit = { images, startedAt };
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
