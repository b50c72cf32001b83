import type { FileHandle } from "node:fs/promises";
import { DamagedJournal } from "./damaged-journal.ts";
import { JOURNAL_VERSION, JournalLine } from "./journal-line.ts";
import { JournalHeadReader, type PlacedJournalHead } from "./journal-head.ts";
import { NewerVersionError, refuseNewer } from "./newer-version.ts";
import { type LineBlock, lineBlocks } from "./line-blocks.ts";

const LF = 0x0a;

/** Where the last whole line of a journal ends. What follows is torn: a writer cuts the file there before it appends. */
export interface JournalEnd {
  validBytes: number;
  torn: boolean;
}

/** `onEnd` is called once, after the last line, where the whole journal was read. */
export interface JournalReadOptions {
  /** The byte to start at, which is the first of a line. Default 0. */
  from?: number;
  onEnd?: (end: JournalEnd) => void;
}

/** A line and the bytes where it stands in the journal; `length` is without the line feed. */
export interface PlacedJournalLine {
  line: JournalLine;
  offset: number;
  length: number;
}

/** The heads of neighbouring lines. */
export interface HeadBatch {
  heads: PlacedJournalHead[];
  /** The whole line of one of them, until the next batch is asked for. */
  readonly lineOf: (head: PlacedJournalHead) => JournalLine;
}

/**
 * Reads a journal line by line; one that does not exist has no lines. A last line that is not whole is left out.
 * @throws DamagedJournal naming file and line where another line is damaged
 */
export async function* readJournal(
  path: string,
  options: JournalReadOptions = {},
): AsyncGenerator<PlacedJournalLine> {
  for await (const { parsed } of parsedBlocks(path, lineParser, options)) yield* parsed;
}

function lineParser(bytes: Buffer): ParseLine<PlacedJournalLine> {
  return (start, stop, offset) => ({
    line: parseJournalLine(bytes.subarray(start, stop)),
    offset,
    length: stop - start,
  });
}

/**
 * Reads only the numbers that count, in batches: many times faster than {@link readJournal}. The last line is looked at
 * as a whole, the others only at both ends.
 * @throws DamagedJournal naming file and line where a line is damaged
 */
export async function* readJournalHeads(
  path: string,
  options: JournalReadOptions = {},
): AsyncGenerator<HeadBatch> {
  for await (const { parsed, block } of parsedBlocks(path, headParser, options)) {
    const lineOf = ({ offset, length }: PlacedJournalHead): JournalLine => {
      const start = offset - block.offset;
      return parseJournalLine(block.bytes.subarray(start, start + length));
    };
    yield { heads: parsed, lineOf };
  }
}

function headParser(bytes: Buffer): ParseLine<PlacedJournalHead> {
  const reader = new JournalHeadReader(bytes);
  return (start, stop, offset) => reader.read(start, stop, offset);
}

/**
 * Reads one line again from where {@link readJournal} or {@link readJournalHeads} found it.
 * @throws Error naming the place where no whole line stands there
 */
export async function readJournalLineAt(
  handle: FileHandle,
  offset: number,
  length: number,
): Promise<JournalLine> {
  const bytes = Buffer.allocUnsafe(length);
  const { bytesRead } = await handle.read(bytes, 0, length, offset);
  try {
    return parseJournalLine(bytes.subarray(0, bytesRead));
  } catch (error) {
    throw new Error(`The journal has no whole line of ${length} bytes at byte ${offset}`, {
      cause: error,
    });
  }
}

/**
 * Parses one line of a journal.
 * @throws NewerVersionError where a newer version wrote it
 * @throws SyntaxError or ZodError where it is not one
 */
export function parseJournalLine(bytes: Buffer): JournalLine {
  const raw: { row?: { columns: Record<string, unknown> } } = JSON.parse(bytes.toString("utf8"));
  refuseNewer("the journal", raw, JOURNAL_VERSION);
  const line = JournalLine.parse(raw);
  // zod leaves out a column named `__proto__`.
  if (line.row && raw.row) line.row.columns = raw.row.columns;
  return line;
}

/** Reads what stands between two places of a block; `offset` is where that is in the file. */
type ParseLine<Parsed> = (start: number, stop: number, offset: number) => Parsed;

async function* parsedBlocks<Parsed>(
  path: string,
  parserOf: (bytes: Buffer) => ParseLine<Parsed>,
  options: JournalReadOptions,
): AsyncGenerator<{ parsed: Parsed[]; block: LineBlock }> {
  let lines = 0;
  for await (const block of lineBlocks(path, options.from)) {
    const parse = parserOf(block.bytes);
    if (block.isLast) {
      const parsed = parseLast(block, parse);
      yield { parsed, block };
      const validBytes = block.offset + (parsed.length > 0 ? block.bytes.length : 0);
      options.onEnd?.({ validBytes, torn: validBytes < block.end });
      return;
    }
    const parsed: Parsed[] = [];
    try {
      parseBlock(block, parse, parsed);
    } catch (error) {
      if (error instanceof NewerVersionError) throw error;
      const offset = block.offset + startOf(block.bytes, parsed.length);
      throw new DamagedJournal(path, lines + parsed.length + 1, offset, { cause: error });
    }
    lines += parsed.length;
    yield { parsed, block };
  }
}

function parseBlock<Parsed>(
  { bytes, offset }: LineBlock,
  parse: ParseLine<Parsed>,
  into: Parsed[],
): void {
  let start = 0;
  while (start < bytes.length) {
    const stop = bytes.indexOf(LF, start);
    into.push(parse(start, stop, offset + start));
    start = stop + 1;
  }
}

/** The last line, or nothing: one that is not whole was being written when its writer died. */
function parseLast<Parsed>({ bytes, offset }: LineBlock, parse: ParseLine<Parsed>): Parsed[] {
  if (bytes.length === 0) return [];
  const stop = bytes.length - 1;
  try {
    parseJournalLine(bytes.subarray(0, stop));
    return [parse(0, stop, offset)];
  } catch (error) {
    if (error instanceof NewerVersionError) throw error;
    return [];
  }
}

/** Where the line behind so many others begins. */
function startOf(bytes: Buffer, lines: number): number {
  let start = 0;
  for (let line = 0; line < lines; line++) start = bytes.indexOf(LF, start) + 1;
  return start;
}
