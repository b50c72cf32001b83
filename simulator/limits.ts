import type { SimulatorSettings } from "./settings.ts";

/** What a limit counts. */
export type LimitUnit = "requests" | "images" | "tokens";

/** Why a call is over a limit. */
export interface LimitRefusal {
  unit: LimitUnit;
  limit: number;
  /** What of the limit is in use, in whole units. */
  used: number;
  requested: number;
  /** Until the call would be admitted; undefined where it never can be, since it asks for more than the limit. */
  waitMs: number | undefined;
}

/** How one limit stands: for the `x-ratelimit-*` headers. */
export interface LimitStanding {
  unit: LimitUnit;
  limit: number;
  remaining: number;
  /** Until all of the limit is free again. */
  resetMs: number;
}

/** The provider's limits, which its clients cannot see. */
export interface Limits {
  /** Takes one request, `images` images and `tokens` tokens, or nothing and says why. */
  admit(settings: SimulatorSettings, images: number, tokens?: number): LimitRefusal | undefined;
  standings(settings: SimulatorSettings): LimitStanding[];
}

/** A bucket of one limit. `level` is what may be taken now. */
class Bucket {
  readonly unit: LimitUnit;
  readonly #now: () => number;
  #level = Infinity;
  #filledAt = 0;

  constructor(unit: LimitUnit, now: () => number) {
    this.unit = unit;
    this.#now = now;
  }

  /** What has come back since: a little all the time, or all of it where a new window has begun. */
  #fill(capacity: number, limit: number, { limitRefill, limitWindowMs }: SimulatorSettings): void {
    const now = this.#now();
    const passedMs = now - this.#filledAt;
    if (limitRefill === "evenly") this.#level += (passedMs * limit) / limitWindowMs;
    else if (passedMs > now % limitWindowMs) this.#level = Infinity;
    this.#level = Math.min(capacity, this.#level);
    this.#filledAt = now;
  }

  refusal(limit: number, settings: SimulatorSettings, requested: number): LimitRefusal | undefined {
    const capacity = capacityOf(limit, settings);
    this.#fill(Math.max(capacity, Math.min(requested, limit)), limit, settings);
    // A millionth for rounding: whoever waits exactly as long as told is let in.
    if (this.#level + 1e-6 >= requested) return undefined;
    const isTooLarge = requested > Math.max(1, limit);
    return {
      unit: this.unit,
      limit,
      used: Math.max(0, Math.ceil(capacity - this.#level)),
      requested,
      waitMs: isTooLarge ? undefined : this.#msUntil(requested, limit, settings),
    };
  }

  take(requested: number): void {
    this.#level -= requested;
  }

  standing(limit: number, settings: SimulatorSettings): LimitStanding {
    const capacity = capacityOf(limit, settings);
    this.#fill(capacity, limit, settings);
    const resetMs = Math.max(0, this.#msUntil(capacity, limit, settings));
    return { unit: this.unit, limit, remaining: Math.max(0, Math.floor(this.#level)), resetMs };
  }

  #msUntil(level: number, limit: number, { limitRefill, limitWindowMs }: SimulatorSettings) {
    if (limitRefill === "each window") return limitWindowMs - (this.#now() % limitWindowMs);
    return ((level - this.#level) * limitWindowMs) / limit;
  }
}

/** What may be used at once. */
function capacityOf(limit: number, { limitRefill, limitBurst }: SimulatorSettings): number {
  return Math.max(1, limitRefill === "evenly" ? limit * limitBurst : limit);
}

/** Buckets of all limits. A limit that is null admits all. `now` gives milliseconds. */
export function tokenBuckets(now: () => number = () => performance.now()): Limits {
  const requests = new Bucket("requests", now);
  const images = new Bucket("images", now);
  const tokens = new Bucket("tokens", now);
  const inForce = (settings: SimulatorSettings) =>
    [
      { bucket: requests, limit: settings.requestsPerMinute },
      { bucket: images, limit: settings.imagesPerMinute },
      { bucket: tokens, limit: settings.tokensPerMinute },
    ].flatMap(({ bucket, limit }) => (limit === null ? [] : [{ bucket, limit }]));
  return {
    admit: (settings, imageCount, tokenCount = 0) => {
      const asked = { requests: 1, images: imageCount, tokens: tokenCount };
      const limits = inForce(settings);
      for (const { bucket, limit } of limits) {
        const refusal = bucket.refusal(limit, settings, asked[bucket.unit]);
        if (refusal) return refusal;
      }
      for (const { bucket } of limits) bucket.take(asked[bucket.unit]);
      return undefined;
    },
    standings: (settings) =>
      inForce(settings).map(({ bucket, limit }) => bucket.standing(limit, settings)),
  };
}
