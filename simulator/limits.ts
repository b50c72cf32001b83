import type { SimulatorSettings } from "./settings.ts";

/** Why a call is over a limit. */
export interface LimitRefusal {
  unit: "requests" | "images";
  limit: number;
  /** What of the limit is in use, in whole units. */
  used: number;
  requested: number;
  /** Until the call would be admitted; undefined where it never can be, since it asks for more than the limit. */
  waitMs: number | undefined;
}

/** How one limit stands: for the `x-ratelimit-*` headers. */
export interface LimitStanding {
  unit: "requests" | "images";
  limit: number;
  remaining: number;
  /** Until all of the limit is free again. */
  resetMs: number;
}

/** The provider's limits on requests and images, which its clients cannot see. */
export interface Limits {
  /** Takes one request and `images` images, or nothing and says why. */
  admit(settings: SimulatorSettings, images: number): LimitRefusal | undefined;
  standings(settings: SimulatorSettings): LimitStanding[];
}

/** A bucket that fills evenly. `level` is what may be taken now. */
class Bucket {
  readonly unit: "requests" | "images";
  readonly #now: () => number;
  #level = Infinity;
  #filledAt = 0;

  constructor(unit: "requests" | "images", now: () => number) {
    this.unit = unit;
    this.#now = now;
  }

  #fill(capacity: number, perMs: number): void {
    const now = this.#now();
    this.#level = Math.min(capacity, this.#level + (now - this.#filledAt) * perMs);
    this.#filledAt = now;
  }

  refusal(limit: number, settings: SimulatorSettings, requested: number): LimitRefusal | undefined {
    const capacity = Math.max(1, limit * settings.limitBurst);
    const perMs = limit / settings.limitWindowMs;
    this.#fill(Math.max(capacity, Math.min(requested, limit)), perMs);
    // A millionth for rounding: whoever waits exactly as long as told is let in.
    if (this.#level + 1e-6 >= requested) return undefined;
    const waitMs = requested > Math.max(1, limit) ? undefined : (requested - this.#level) / perMs;
    return {
      unit: this.unit,
      limit,
      used: Math.max(0, Math.ceil(capacity - this.#level)),
      requested,
      waitMs,
    };
  }

  take(requested: number): void {
    this.#level -= requested;
  }

  standing(limit: number, settings: SimulatorSettings): LimitStanding {
    const capacity = Math.max(1, limit * settings.limitBurst);
    const perMs = limit / settings.limitWindowMs;
    this.#fill(capacity, perMs);
    const resetMs = Math.max(0, (capacity - this.#level) / perMs);
    return { unit: this.unit, limit, remaining: Math.max(0, Math.floor(this.#level)), resetMs };
  }
}

/** Token buckets of both limits. A limit that is null admits all. `now` gives milliseconds. */
export function tokenBuckets(now: () => number = () => performance.now()): Limits {
  const requests = new Bucket("requests", now);
  const images = new Bucket("images", now);
  const inForce = (settings: SimulatorSettings) =>
    [
      { bucket: requests, limit: settings.requestsPerMinute, each: () => 1 },
      { bucket: images, limit: settings.imagesPerMinute, each: (n: number) => n },
    ].flatMap(({ bucket, limit, each }) => (limit === null ? [] : [{ bucket, limit, each }]));
  return {
    admit: (settings, n) => {
      const limits = inForce(settings);
      for (const { bucket, limit, each } of limits) {
        const refusal = bucket.refusal(limit, settings, each(n));
        if (refusal) return refusal;
      }
      for (const { bucket, each } of limits) bucket.take(each(n));
      return undefined;
    },
    standings: (settings) =>
      inForce(settings).map(({ bucket, limit }) => bucket.standing(limit, settings)),
  };
}
