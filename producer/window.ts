import type { JournalRow } from "../shared/journal-line.ts";
import type { PromptJob } from "../shared/job.ts";

/** A prompt that is in Redis: all that is needed to settle it or to add it again. */
export interface InFlight {
  id: string;
  row: JournalRow;
  job: PromptJob;
  /** Images that earlier lines of the journal counted and whose files are gone; default none. */
  gone?: number;
  /** About what it takes in memory and in Redis. */
  bytes: number;
  /** When it was last added, in milliseconds by `Date.now`. */
  addedAt: number;
}

/** The prompts of a run that are in Redis, by index, and their size. */
export class Window {
  readonly #prompts = new Map<number, InFlight>();
  #bytes = 0;

  get size(): number {
    return this.#prompts.size;
  }

  get bytes(): number {
    return this.#bytes;
  }

  get(index: number): InFlight | undefined {
    return this.#prompts.get(index);
  }

  values(): IterableIterator<InFlight> {
    return this.#prompts.values();
  }

  /** Adds a prompt; one of the same index is replaced. */
  add(prompt: InFlight): void {
    this.delete(prompt.job.index);
    this.#prompts.set(prompt.job.index, prompt);
    this.#bytes += prompt.bytes;
  }

  delete(index: number): void {
    const prompt = this.#prompts.get(index);
    if (!prompt) return;
    this.#prompts.delete(index);
    this.#bytes -= prompt.bytes;
  }
}
