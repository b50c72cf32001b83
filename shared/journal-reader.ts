import type { FileHandle } from "node:fs/promises";
import { JOURNAL_VERSION, JournalLine } from "./journal-line.ts";
import { type JournalHead, parseJournalHead } from "./journal-head.ts";
import { NewerVersionError, refuseNewer } from "./newer-version.ts";
import { lineBatches, type PlacedLine } from "./line-batches.ts";

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

/** The head of a line and the bytes where the line stands. */
export type PlacedJournalHead = JournalHead & { offset: number; length: number };

/**
 * Reads a journal line by line; one that does not exist has no lines. A last line that is not whole is left out.
 * @throws Error naming file and line where another line is damaged
 */
export async function* readJournal(
  path: string,
  options: JournalReadOptions = {},
): AsyncGenerator<PlacedJournalLine> {
  for await (const batch of parsedBatches(path, placedLine, placedLine, options)) yield* batch;
}

function placedLine({ bytes, offset }: PlacedLine): PlacedJournalLine {
  return { line: parseJournalLine(bytes), offset, length: bytes.length };
}

/**
 * Reads only the numbers that count, in batches: several times faster than {@link readJournal}. The last line is looked
 * at as a whole, the others only at both ends.
 * @throws Error naming file and line where a line is damaged
 */
export function readJournalHeads(
  path: string,
  options: JournalReadOptions = {},
): AsyncGenerator<PlacedJournalHead[]> {
  return parsedBatches(path, placedHead, wholePlacedHead, options);
}

function placedHead({ bytes, offset }: PlacedLine): PlacedJournalHead {
  return parseJournalHead(bytes, offset);
}

function wholePlacedHead(line: PlacedLine): PlacedJournalHead {
  parseJournalLine(line.bytes);
  return placedHead(line);
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

/** Parses batches, one behind what was read, so that it is known which line is the last. */
async function* parsedBatches<Parsed>(
  path: string,
  parse: (line: PlacedLine) => Parsed,
  parseLast: (line: PlacedLine) => Parsed,
  options: JournalReadOptions,
): AsyncGenerator<Parsed[]> {
  const from = options.from ?? 0;
  let held: PlacedLine[] = [];
  let lines = 0;
  let bytes = from;
  const parseAll = (batch: PlacedLine[]): Parsed[] =>
    batch.map((line) => {
      lines++;
      try {
        return parse(line);
      } catch (error) {
        throw damaged(path, lines, error);
      }
    });
  for await (const batch of lineBatches(path, from)) {
    bytes = batch.end;
    if (batch.lines.length === 0) continue;
    yield parseAll(held);
    held = batch.lines;
  }
  const last = held.pop();
  const rest = parseAll(held);
  let validBytes = last?.offset ?? from;
  try {
    if (last) {
      rest.push(parseLast(last));
      validBytes += last.bytes.length + 1;
    }
  } catch (error) {
    if (error instanceof NewerVersionError) throw error;
    // A last line that is not whole was being written when its writer died.
  }
  yield rest;
  options.onEnd?.({ validBytes, torn: validBytes < bytes });
}

function damaged(path: string, line: number, cause: unknown): Error {
  if (cause instanceof NewerVersionError) return cause;
  return new Error(
    `${path} is damaged: line ${line} is not a journal line that this version of imagemill can read. ` +
      `Without that line its prompt is settled again, and images that are stored are not bought again`,
    { cause },
  );
}
