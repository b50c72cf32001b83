/** What is drawn over time. `callMs` is the time that calls spent at the provider: divided by time, calls in flight. */
const seriesNames = ["images", "settled", "callMs", "retries", "throttled"] as const;
export type SeriesName = (typeof seriesNames)[number];

const buckets = 720;
const firstIntervalMs = 1_000;

/** Sums per interval, in a fixed number of buckets: when time runs past the last one, intervals double. */
export class TimeSeries {
  readonly startMs: number;
  readonly #sums: Record<SeriesName, Float64Array>;
  #intervalMs = firstIntervalMs;
  #last = 0;

  constructor(startMs: number) {
    this.startMs = Math.floor(startMs / firstIntervalMs) * firstIntervalMs;
    this.#sums = {
      images: new Float64Array(buckets),
      settled: new Float64Array(buckets),
      callMs: new Float64Array(buckets),
      retries: new Float64Array(buckets),
      throttled: new Float64Array(buckets),
    };
  }

  get intervalMs(): number {
    return this.#intervalMs;
  }

  add(name: SeriesName, atMs: number, amount: number): void {
    const bucket = this.#bucketOf(atMs);
    this.#sums[name][bucket]! += amount;
  }

  /** Adds the milliseconds from one time to another, each to its bucket. */
  addSpan(name: SeriesName, fromMs: number, toMs: number): void {
    this.#bucketOf(toMs);
    for (let at = Math.max(this.startMs, fromMs); at < toMs;) {
      const bucket = this.#bucketOf(at);
      const end = Math.min(toMs, this.startMs + (bucket + 1) * this.#intervalMs);
      this.#sums[name][bucket]! += end - at;
      at = end;
    }
  }

  /** The sums of all buckets up to `nowMs` or the last that holds anything. */
  until(nowMs?: number): { times: number[]; sums: Record<SeriesName, number[]> } {
    if (nowMs !== undefined) this.#bucketOf(nowMs);
    const length = this.#last + 1;
    const cut = (name: SeriesName) => Array.from(this.#sums[name].subarray(0, length));
    return {
      times: Array.from({ length }, (_, i) => (this.startMs + i * this.#intervalMs) / 1000),
      sums: {
        images: cut("images"),
        settled: cut("settled"),
        callMs: cut("callMs"),
        retries: cut("retries"),
        throttled: cut("throttled"),
      },
    };
  }

  /** The sum from a time on; the first bucket counts as a whole. */
  sumSince(name: SeriesName, fromMs: number): number {
    const first = Math.floor(Math.max(0, fromMs - this.startMs) / this.#intervalMs);
    return this.#sums[name].subarray(first).reduce((sum, value) => sum + value, 0);
  }

  #bucketOf(atMs: number): number {
    const sinceStart = Math.max(0, atMs - this.startMs);
    while (sinceStart >= buckets * this.#intervalMs) this.#double();
    const bucket = Math.floor(sinceStart / this.#intervalMs);
    this.#last = Math.max(this.#last, bucket);
    return bucket;
  }

  #double(): void {
    for (const sums of Object.values(this.#sums)) {
      for (let i = 0; i < buckets / 2; i++) sums[i] = sums[2 * i]! + sums[2 * i + 1]!;
      sums.fill(0, buckets / 2);
    }
    this.#intervalMs *= 2;
    this.#last = Math.floor(this.#last / 2);
  }
}
