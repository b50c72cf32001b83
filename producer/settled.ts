import type { FailureKind } from "../shared/failure.ts";
import type { JournalLine } from "../shared/journal-line.ts";
import { addLine, type LineSums, noSums, type SummedLine } from "../shared/line-sums.ts";
import type { PromptState } from "../shared/result.ts";
import type { RunFile } from "../shared/run-file.ts";
import { ByteByIndex } from "./byte-by-index.ts";

const codes: Record<PromptState, number> = { succeeded: 1, partial: 2, failed: 3, rejected: 4 };
const states: readonly PromptState[] = ["succeeded", "partial", "failed", "rejected"];

/** Where a line stands in the journal, in bytes. */
export interface LinePlace {
  offset: number;
  length: number;
  /** Generations of its images whose files are gone. */
  gone?: ReadonlySet<number>;
}

/** Sums over a run. */
export interface Totals extends LineSums {
  prompts: Record<PromptState, number>;
  failures: Partial<Record<FailureKind, number>>;
}

/** The part of a journal line that sums and states are made of. */
export type SettledLine = SummedLine &
  Pick<JournalLine, "index" | "round" | "state" | "numGenerations"> &
  Partial<Pick<JournalLine, "failures">>;

/**
 * Which prompts are settled, one byte a prompt, and the sums of the journal. A prompt that the run asks more of than the
 * journal has (more images, or another round for its failure) counts as unsettled, and where its line stands is known.
 */
export class Settled {
  readonly #run: Pick<RunFile, "round" | "numGenerations" | "retryKinds">;
  readonly totals: Totals = {
    prompts: { succeeded: 0, partial: 0, failed: 0, rejected: 0 },
    ...noSums(),
    failures: {},
  };
  /** Lines of prompts to be done again: their images are kept. */
  readonly redo = new Map<number, LinePlace>();
  /** Kinds of failure of the settled prompts that have any. */
  readonly #failures = new Map<number, readonly FailureKind[]>();
  readonly #codes = new ByteByIndex();
  #count = 0;

  constructor(run: Pick<RunFile, "round" | "numGenerations" | "retryKinds">) {
    this.#run = run;
  }

  /** How many prompts are settled, rejected rows included. */
  get count(): number {
    return this.#count;
  }

  /** One more than the highest index that may be settled. */
  get size(): number {
    return this.#codes.length;
  }

  /** Prompts from `first` to before `end` that have every image that the run asks for, as far as the journal knows. */
  wholeBetween(first: number, end: number): number[] {
    const whole: number[] = [];
    for (let index = first; index < end; index++)
      if (this.#codes.get(index) === codes.succeeded) whole.push(index);
    return whole;
  }

  /** Changes with the state of any prompt from `first` to before `end`. */
  digestBetween(first: number, end: number): string {
    return this.#codes.digestBetween(first, end);
  }

  /** A settled prompt is to be done again. */
  reopen(index: number, place: LinePlace): void {
    this.#forget(index);
    this.redo.set(index, place);
  }

  has(index: number): boolean {
    return this.#codes.get(index) !== 0;
  }

  /** Takes over a line of the journal. `place` says where it stands, if it may have to be done again. */
  add(line: SettledLine, place?: LinePlace): void {
    const { totals } = this;
    this.#forget(line.index);
    addLine(totals, line);
    if (place && this.#asksMore(line)) {
      this.redo.set(line.index, { offset: place.offset, length: place.length });
      return;
    }
    this.redo.delete(line.index);
    this.#addFailures(line);
    this.#codes.set(line.index, codes[line.state]);
    totals.prompts[line.state] += 1;
    this.#count += 1;
  }

  #forget(index: number): void {
    const code = this.#codes.get(index);
    if (code === 0) return;
    this.totals.prompts[states[code - 1]!] -= 1;
    this.#codes.set(index, 0);
    this.#count -= 1;
    for (const kind of this.#failures.get(index) ?? [])
      this.totals.failures[kind] = (this.totals.failures[kind] ?? 1) - 1;
    this.#failures.delete(index);
  }

  #addFailures({ index, failures = [] }: SettledLine): void {
    if (failures.length === 0) return;
    const kinds = failures.map(({ kind }) => kind);
    this.#failures.set(index, kinds);
    const { failures: counts } = this.totals;
    for (const kind of kinds) counts[kind] = (counts[kind] ?? 0) + 1;
  }

  #asksMore(line: SettledLine): boolean {
    const { round, numGenerations, retryKinds } = this.#run;
    if (line.state === "rejected") return false;
    if (line.numGenerations < numGenerations) return true;
    if (line.round >= round || line.state === "succeeded") return false;
    return (
      retryKinds === null || (line.failures ?? []).some(({ kind }) => retryKinds.includes(kind))
    );
  }
}
