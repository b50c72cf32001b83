/** Time in which what was counted loses all but 1/e of its weight. */
const memoryMs = 1_000;

/** How fast prompts are being settled: a mean that forgets what is older than a second or two. */
export class SettlingRate {
  readonly #now: () => number;
  #weight = 0;
  #at: number;

  /** `now`: a clock in milliseconds that never goes back. */
  constructor(now: () => number = () => performance.now()) {
    this.#now = now;
    this.#at = now();
  }

  /** So many prompts were settled just now. */
  add(prompts: number): void {
    this.#weight = this.#faded() + prompts;
    this.#at = this.#now();
  }

  get perSecond(): number {
    return this.#faded() / (memoryMs / 1000);
  }

  #faded(): number {
    return this.#weight * Math.exp((this.#at - this.#now()) / memoryMs);
  }
}
