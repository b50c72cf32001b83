import { isUtf8 } from "node:buffer";
import { maxRowBytes, tooLong } from "./raw-record.ts";
import { fieldTexts, hasOpenQuote, type RecordPlace, scanRecord } from "./scan-delimited.ts";

const LF = 0x0a;

const openQuote = 'expected `"` at the end of a field that begins with it, got none';

/**
 * One record of a CSV or TSV file; `line` is the number of its first line in the file, from 1. `problem`: why its fields
 * could not be read; `bytes` is then its beginning.
 */
export type DelimitedRecord = { bytes: Buffer; line: number } & (
  | { fields: string[] }
  | { problem: string }
);

/** A window over chunks: what is not read yet from `start` on. */
class ByteWindow {
  bytes: Buffer = Buffer.alloc(0);
  start = 0;
  ended = false;
  readonly #input: AsyncIterator<Buffer>;

  constructor(chunks: AsyncIterable<Buffer>) {
    this.#input = chunks[Symbol.asyncIterator]();
  }

  get size(): number {
    return this.bytes.length - this.start;
  }

  /** At least doubles what is there, so that looking again from the start costs no more than twice. */
  async grow(): Promise<void> {
    const parts = [this.bytes.subarray(this.start)];
    let wanted = Math.max(this.size, 1);
    while (wanted > 0 && !this.ended) {
      const next = await this.#input.next();
      if (next.done) this.ended = true;
      else {
        parts.push(next.value);
        wanted -= next.value.length;
      }
    }
    this.bytes = Buffer.concat(parts);
    this.start = 0;
  }

  /** Drops everything up to the next line feed and gives the number of bytes dropped before it. */
  async skipLine(): Promise<number> {
    let skipped = 0;
    for (;;) {
      const end = this.bytes.indexOf(LF, this.start);
      if (end !== -1 || this.ended) {
        const stop = end === -1 ? this.bytes.length : end;
        skipped += stop - this.start;
        this.start = Math.min(stop + 1, this.bytes.length);
        return skipped;
      }
      skipped += this.size;
      this.start = this.bytes.length;
      await this.grow();
    }
  }

  async close(): Promise<void> {
    await this.#input.return?.();
  }
}

/** The records of a CSV or TSV file, its header first. Blank lines are left out. */
export async function* readDelimited(
  chunks: AsyncIterable<Buffer>,
  delimiter: "," | "\t",
  maxBytes = maxRowBytes,
): AsyncGenerator<DelimitedRecord> {
  const window = new ByteWindow(chunks);
  let line = 1;
  const delimiterByte = delimiter.charCodeAt(0);
  try {
    for (;;) {
      const full = window.size > maxBytes;
      const place = scanRecord(window.bytes, window.start, delimiterByte, window.ended || full);
      if (place && (place.terminated || window.ended)) {
        if (window.size === 0) return;
        const record = recordAt(window, place, delimiter, maxBytes);
        const first = line;
        line += lineFeeds(window.bytes, window.start, place.end);
        window.start = place.end;
        if (record) yield { ...record, line: first };
      } else if (full) {
        const beginning = Buffer.from(window.bytes.subarray(window.start, window.start + 800));
        const problem = tooLong(await window.skipLine(), maxBytes);
        yield { bytes: beginning, line: line++, problem };
      } else await window.grow();
    }
  } finally {
    await window.close();
  }
}

function recordAt(
  window: ByteWindow,
  place: RecordPlace,
  delimiter: "," | "\t",
  maxBytes: number,
): { bytes: Buffer; fields: string[] } | { bytes: Buffer; problem: string } | undefined {
  const bytes = window.bytes.subarray(window.start, place.terminated ? place.end - 1 : place.end);
  const [only] = place.fields;
  if (
    place.fields.length === 1 &&
    !only!.quoted &&
    window.bytes.toString("utf8", only!.from, only!.to).trim() === ""
  ) {
    return undefined;
  }
  if (bytes.length > maxBytes) return { bytes, problem: tooLong(bytes.length, maxBytes) };
  if (!isUtf8(bytes)) return { bytes, problem: "expected UTF-8, got bytes that are not" };
  // Most TSV is written without quoting: there a lone quote is text.
  if (delimiter === "," && hasOpenQuote(window.bytes, place)) return { bytes, problem: openQuote };
  return { bytes, fields: fieldTexts(window.bytes, place) };
}

function lineFeeds(bytes: Buffer, start: number, stop: number): number {
  let count = 0;
  for (let at = bytes.indexOf(LF, start); at !== -1 && at < stop; at = bytes.indexOf(LF, at + 1))
    count++;
  return count;
}
