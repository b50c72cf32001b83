import type { JournalLine } from "../../shared/journal-line.ts";
import { parseJournalLine, readJournalHeads } from "../../shared/journal-reader.ts";
import { BlockReader } from "./block-reader.ts";

/** 12 bytes each: 48 MB at most. */
const defaultSegmentPrompts = 4 * 1024 * 1024;
/** A batch ends with the line that makes it as large, so that a long one does not wait for others in memory. */
const batchBytes = 128 * 1024;

/** A journal in dataset order. */
export interface OrderedJournal {
  /** What all lines cost, those that later ones replaced included; undefined where no price is known. */
  costUsd: number | undefined;
  /** For each index its last line, in batches. */
  batches: AsyncGenerator<JournalLine[]>;
}

/**
 * Reads a journal in dataset order. Memory is bounded however long the journal is: it is scanned once for each
 * `segmentPrompts` indexes. A journal that does not exist has no lines.
 * @throws Error naming file and place where a line is damaged
 */
export async function readOrdered(
  path: string,
  segmentPrompts = defaultSegmentPrompts,
): Promise<OrderedJournal> {
  const first = await LinePlaces.scan(path, 0, segmentPrompts);
  return { costUsd: first.costUsd, batches: orderedBatches(path, first, segmentPrompts) };
}

async function* orderedBatches(
  path: string,
  first: LinePlaces,
  segmentPrompts: number,
): AsyncGenerator<JournalLine[]> {
  if (first.isEmpty && first.next === undefined) return;
  for (let segment = first; ;) {
    // A new one each time: where the journal has grown since, the last block is longer now.
    await using reader = await BlockReader.open(path);
    let batch: JournalLine[] = [];
    let bytes = 0;
    for (const { offset, length } of segment.places()) {
      const line = reader.held(offset, length) ?? (await reader.read(offset, length));
      batch.push(parseAt(path, offset, line));
      bytes += length;
      if (bytes < batchBytes) continue;
      yield batch;
      [batch, bytes] = [[], 0];
    }
    yield batch;
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
  /** Of all lines of the journal. */
  costUsd: number | undefined;
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
      for (const { index, offset, length, costUsd } of heads) {
        places.#add(index, offset, length);
        if (costUsd !== undefined) places.costUsd = (places.costUsd ?? 0) + costUsd;
      }
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
