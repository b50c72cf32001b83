import type { RedisClient } from "../shared/redis.ts";

/** Time without an answer after which Redis counts as having been away. */
const silenceMs = 5_000;
/** What stalled because Redis was away is taken up within this time: locks have run out, workers have looked for such jobs. */
const stallsMs = 30_000;
/** How far the clocks of producers and workers may be apart. */
const skewMs = 60_000;

/**
 * Since when Redis answers without a break, and has not been emptied. Before that it may have lost what it knew last, so that a
 * job that was done waits again: its replica lagged behind, or the last second of its append-only file was not on the disk.
 */
export class Continuity {
  readonly #redis: RedisClient;
  readonly #onReturn: () => void;
  readonly #isOnlyWorker: boolean;
  #connectedAt = -Infinity;
  #returnedAt = -Infinity;
  #heardAt: number | undefined;

  /** `onReturn` is called each time that Redis is back. Of a worker that is alone nobody else has anything in flight. */
  constructor(redis: RedisClient, isOnlyWorker: boolean, onReturn: () => void) {
    this.#redis = redis;
    this.#isOnlyWorker = isOnlyWorker;
    this.#onReturn = onReturn;
  }

  /** Since when other workers had the time to tell of their calls, in milliseconds by `Date.now`. */
  get connectedAt(): number {
    return this.#isOnlyWorker ? -Infinity : this.#connectedAt;
  }

  stop(): void {
    this.#redis.off("ready", this.#returned);
    this.#redis.off("-node", this.#returned);
  }

  /** Redis has answered something that it is asked all the time; with the first answer the watch begins. */
  heard(): void {
    const before = this.#heardAt;
    this.#heardAt = Date.now();
    if (before === undefined) this.#begin();
    else if (this.#heardAt - before > silenceMs) this.#returned();
  }

  /** Redis knows nothing of this worker any more, though it answered all the time: it was emptied. */
  forgotten(): void {
    this.#returned();
  }

  /** Whether a job that was added then may have been done before, even before this worker came. */
  mayHaveGoneBack(addedAt: number): boolean {
    return this.hasReturnedSince(addedAt) || addedAt < this.connectedAt;
  }

  /** Whether a job that was added then may have been taken while Redis was there before. */
  hasReturnedSince(addedAt: number): boolean {
    return addedAt < this.#returnedAt + skewMs;
  }

  /** Whether Redis was away, or was emptied, since this worker took a job at that time. */
  hasReturnedAfter(takenAt: number): boolean {
    return takenAt <= this.#returnedAt;
  }

  /** Whether Redis is back so lately that jobs that were begun before stall for that, and not because a worker died. */
  get isJustBack(): boolean {
    return Date.now() - this.#returnedAt < stallsMs;
  }

  #begin(): void {
    this.#connectedAt = Date.now();
    this.#redis.on("ready", this.#returned);
    // A Cluster stays ready while one of its nodes is replaced.
    this.#redis.on("-node", this.#returned);
  }

  readonly #returned = (): void => {
    this.#connectedAt = this.#returnedAt = Date.now();
    this.#onReturn();
  };
}
