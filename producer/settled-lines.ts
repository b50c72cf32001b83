import { open } from "node:fs/promises";
import type { JournalLine } from "../shared/journal-line.ts";
import { parseJournalLine, readJournalHeads, readJournalLineAt } from "../shared/journal-reader.ts";
import { lineBatches } from "../shared/line-batches.ts";
import { ByteByIndex } from "./byte-by-index.ts";
import type { Journal } from "./journal.ts";
import type { Settled } from "./settled.ts";

/** A journal that may be growing. */
export interface GrowingJournal {
  path: string;
  journal: Pick<Journal, "bytes">;
  settled: Pick<Settled, "redo">;
  /** Resolves when it has grown or is whole. */
  grown(): Promise<void>;
  /** Whether nothing more comes. */
  isWhole(): boolean;
}

/**
 * The last line of every prompt, each prompt once: those that are there, then those that come, until the journal is whole.
 * A prompt that is to be done again comes with its new line or, where the run ends before, at the end with its old one.
 * Memory: one byte a prompt. Nothing is kept for a slow reader: the journal is read when it asks.
 */
export async function* settledLines(source: GrowingJournal): AsyncGenerator<JournalLine> {
  const { path, journal, settled } = source;
  const known = journal.bytes;
  const counts = await countLines(path, known);
  const waiting = new Set<number>();
  for (let position = 0; ;) {
    const isWhole = source.isWhole();
    const grown = source.grown();
    for await (const { line, offset, end } of linesFrom(path, position, journal.bytes)) {
      position = end;
      if (offset < known) {
        if (!counts.isLast(line.index)) continue;
        if (settled.redo.get(line.index)?.offset === offset) {
          waiting.add(line.index);
          continue;
        }
      }
      waiting.delete(line.index);
      yield line;
    }
    if (isWhole) break;
    await grown;
  }
  yield* oldLines(source, waiting);
}

/** Lines whose prompts were to be done again, and were not. */
async function* oldLines(
  { path, settled }: GrowingJournal,
  indexes: ReadonlySet<number>,
): AsyncGenerator<JournalLine> {
  if (indexes.size === 0) return;
  const file = await open(path, "r");
  try {
    for (const index of indexes) {
      const place = settled.redo.get(index);
      if (place) yield await readJournalLineAt(file, place.offset, place.length);
    }
  } finally {
    await file.close();
  }
}

/** The lines between two bytes of a file where lines begin; `end` is where the next one does. */
async function* linesFrom(path: string, from: number, to: number) {
  if (from >= to) return;
  for await (const { lines } of lineBatches(path, from)) {
    for (const { bytes, offset } of lines) {
      if (offset >= to) return;
      yield { line: parseJournalLine(bytes), offset, end: offset + bytes.length + 1 };
    }
  }
}

/** How many lines each prompt has in the first bytes of a journal: one byte a prompt, and a line is rarely written again. */
async function countLines(path: string, bytes: number): Promise<LineCounts> {
  const counts = new LineCounts();
  for await (const { heads } of readJournalHeads(path)) {
    for (const { index, offset } of heads) if (offset < bytes) counts.add(index);
  }
  return counts;
}

class LineCounts {
  readonly #counts = new ByteByIndex();
  /** Prompts with more lines than a byte can count, such as after hundreds of rounds. */
  readonly #many = new Map<number, number>();

  add(index: number): void {
    const count = this.#counts.get(index);
    if (count < 255) this.#counts.set(index, count + 1);
    else this.#many.set(index, (this.#many.get(index) ?? 0) + 1);
  }

  /** Counts one line down. True for the last one. */
  isLast(index: number): boolean {
    const many = this.#many.get(index) ?? 0;
    if (many > 0) {
      this.#many.set(index, many - 1);
      return false;
    }
    const left = this.#counts.get(index) - 1;
    this.#counts.set(index, left);
    return left === 0;
  }
}
