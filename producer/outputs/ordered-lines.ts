import type { JournalLine } from "../../shared/journal-line.ts";
import { parseJournalLine, readJournalHeads } from "../../shared/journal-reader.ts";
import { BlockReader } from "./block-reader.ts";

/** 12 bytes each: 48 MB at most. */
const SEGMENT_PROMPTS = 4 * 1024 * 1024;

/**
 * The lines of a journal in dataset order, for each index the last one only. Memory is bounded however long the journal
 * is: it is scanned once for each `segmentPrompts` indexes. A journal that does not exist has no lines.
 * @throws Error naming file and place where a line is damaged
 */
export async function* orderedLines(
  path: string,
  segmentPrompts = SEGMENT_PROMPTS,
): AsyncGenerator<JournalLine> {
  let segment = await LinePlaces.scan(path, 0, segmentPrompts);
  if (segment.isEmpty && segment.next === undefined) return;
  await using reader = await BlockReader.open(path);
  for (;;) {
    for (const { offset, length } of segment.places()) {
      yield parseAt(path, offset, await reader.read(offset, length));
    }
    if (segment.next === undefined) return;
    segment = await LinePlaces.scan(path, segment.next, segmentPrompts);
  }
}

function parseAt(path: string, offset: number, bytes: Buffer): JournalLine {
  try {
    return parseJournalLine(bytes);
  } catch (error) {
    throw new Error(`${path} is damaged: the line at byte ${offset} is not a journal line`, {
      cause: error,
    });
  }
}

/** Where the last lines of some neighbouring indexes stand. */
class LinePlaces {
  /** The smallest index after these that the journal has. */
  next: number | undefined;
  readonly #from: number;
  readonly #size: number;
  #count = 0;
  /** Offset + 1; 0 where there is no line. */
  #offsets = new Float64Array(1024);
  #lengths = new Uint32Array(1024);

  private constructor(from: number, size: number) {
    this.#from = from;
    this.#size = size;
  }

  static async scan(path: string, from: number, size: number): Promise<LinePlaces> {
    const places = new LinePlaces(from, size);
    for await (const { heads } of readJournalHeads(path)) {
      for (const head of heads) places.#add(head.index, head.offset, head.length);
    }
    return places;
  }

  get isEmpty(): boolean {
    return this.#count === 0;
  }

  *places(): Generator<{ offset: number; length: number }> {
    for (let position = 0; position < this.#count; position++) {
      const offset = this.#offsets[position]! - 1;
      if (offset >= 0) yield { offset, length: this.#lengths[position]! };
    }
  }

  #add(index: number, offset: number, length: number): void {
    const position = index - this.#from;
    if (position < 0) return;
    if (position >= this.#size) {
      this.next = Math.min(index, this.next ?? Infinity);
      return;
    }
    if (position >= this.#offsets.length) this.#grow(position + 1);
    this.#offsets[position] = offset + 1;
    this.#lengths[position] = length;
    this.#count = Math.max(this.#count, position + 1);
  }

  #grow(wanted: number): void {
    const size = Math.min(this.#size, Math.max(wanted, this.#offsets.length * 2));
    const [offsets, lengths] = [new Float64Array(size), new Uint32Array(size)];
    offsets.set(this.#offsets);
    lengths.set(this.#lengths);
    [this.#offsets, this.#lengths] = [offsets, lengths];
  }
}
