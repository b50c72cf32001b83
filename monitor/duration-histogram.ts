/** Each bucket ends this much above the one before: percentiles are right to 2 %. */
const growth = 1.02;
const longestMs = 24 * 3_600_000;
const bucketCount = Math.ceil(Math.log(longestMs) / Math.log(growth)) + 2;

/** Durations counted in buckets that grow by 2 %, from 1 ms to a day: 7 kB, whatever the number of durations. */
export class DurationHistogram {
  readonly #counts = new Float64Array(bucketCount);
  #count = 0;

  get count(): number {
    return this.#count;
  }

  add(ms: number): void {
    const bucket = ms < 1 ? 0 : Math.floor(Math.log(ms) / Math.log(growth)) + 1;
    this.#counts[Math.min(bucketCount - 1, bucket)]! += 1;
    this.#count += 1;
  }

  /** The duration in milliseconds below which this share of all lies, to 2 %; undefined where there is none. */
  percentile(share: number): number | undefined {
    if (this.#count === 0) return undefined;
    const rank = Math.max(1, Math.ceil(share * this.#count));
    let below = 0;
    for (let bucket = 0; bucket < bucketCount; bucket++) {
      below += this.#counts[bucket]!;
      if (below >= rank) return bucket === 0 ? 0 : growth ** (bucket - 0.5);
    }
    return longestMs;
  }
}
