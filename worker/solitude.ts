import { HandBack } from "./job-moves.ts";

/** How long a job stays away that came while another one runs alone: longer than it takes to pause the worker. */
const refusedDelayMs = 1_000;

/**
 * Lets one job of a process run with none beside it. Jobs enter and leave; while one is alone, or waits to be, no other
 * enters.
 */
export class Solitude {
  readonly #listeners = new Set<() => void>();
  readonly #seen = new Set<string>();
  #others = 0;
  #taken = false;
  #emptied = Promise.withResolvers<void>();

  /** Whether a job is alone, or waits to be: no lane of this process should take more jobs. */
  get taken(): boolean {
    return this.#taken;
  }

  /** Told when {@link taken} changes. Gives a function that ends it. */
  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** True the first time that a job is asked for. */
  isNew(jobId: string): boolean {
    const before = this.#seen.size;
    return this.#seen.add(jobId).size > before;
  }

  /** A job enters among others; the function that it gives lets it leave. @throws HandBack while one is alone */
  enter(): () => void {
    if (this.#taken) throw new HandBack("another job runs alone here", refusedDelayMs);
    this.#others += 1;
    return () => {
      this.#others -= 1;
      if (this.#others === 0) this.#emptied.resolve();
    };
  }

  /**
   * Resolves when no other job is left, and keeps others out until the function that it gives is called.
   * @throws HandBack while another one is alone
   */
  async enterAlone(): Promise<() => void> {
    if (this.#taken) throw new HandBack("another job runs alone here", refusedDelayMs);
    this.#change(true);
    while (this.#others > 0) {
      this.#emptied = Promise.withResolvers();
      await this.#emptied.promise;
    }
    return () => this.#change(false);
  }

  #change(taken: boolean): void {
    this.#taken = taken;
    for (const listener of this.#listeners) listener();
  }
}
