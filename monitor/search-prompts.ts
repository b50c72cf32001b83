import { open } from "node:fs/promises";
import type { JournalLine } from "../shared/journal-line.ts";
import { parseJournalLine } from "../shared/journal-reader.ts";
import { lineBatches } from "../shared/line-batches.ts";
import type { KnownRun } from "./known-run.ts";
import { MalformedAddress } from "./trouble.ts";

/** How long one request may look: the page goes on where it stopped. */
const budgetMs = 250;

/** What a search has found so far. */
export interface SearchResult {
  lines: JournalLine[];
  /** The byte of the journal to go on from; undefined where it was searched to its end. */
  next: number | undefined;
}

/**
 * Looks for prompts, ids or messages of failures that hold a text, in any case of letters, from a byte of the journal on:
 * until `most` are found or a quarter of a second is over.
 * @throws MalformedAddress where no line begins there
 */
export async function searchPrompts(
  run: KnownRun,
  text: string,
  from: number,
  most: number,
): Promise<SearchResult> {
  if (from > 0 && from < run.journalBytes && !(await isLineStart(run.journal, from)))
    throw new MalformedAddress(
      `Expected \`from\` to be where a line of the journal begins, as Search on gives it, got ${from}: search again from the beginning`,
    );
  const wanted = text.toLowerCase();
  const index = run.index;
  const found: JournalLine[] = [];
  const startedAt = performance.now();
  for await (const { lines, end } of lineBatches(run.journal, from)) {
    for (const { bytes, offset } of lines) {
      if (!mayHold(bytes, wanted) || offset >= (index?.bytes ?? 0)) continue;
      const line = parseJournalLine(bytes);
      // An earlier line of a prompt that was done again says what is no more.
      if (index?.prompts.get(line.index)?.offset !== offset || !holds(line, wanted)) continue;
      found.push(line);
      if (found.length === most) return { lines: found, next: offset + bytes.length + 1 };
    }
    const last = lines.at(-1);
    const next = last ? last.offset + last.bytes.length + 1 : end;
    if (performance.now() - startedAt > budgetMs && next < run.journalBytes)
      return { lines: found, next };
  }
  return { lines: found, next: undefined };
}

async function isLineStart(journal: string, offset: number): Promise<boolean> {
  await using file = await open(journal);
  const { bytesRead, buffer } = await file.read(Buffer.alloc(1), 0, 1, offset - 1);
  return bytesRead === 1 && buffer[0] === 0x0a;
}

/** Tells most lines from those that are worth parsing. */
function mayHold(bytes: Buffer, wanted: string): boolean {
  const escaped = JSON.stringify(wanted).slice(1, -1);
  // oxlint-disable-next-line no-control-regex -- all of ASCII is meant
  const encoding = /^[\u0000-\u007f]*$/.test(escaped) ? "latin1" : "utf8";
  return bytes.toString(encoding).toLowerCase().includes(escaped);
}

function holds({ row, rejected, failures }: JournalLine, wanted: string): boolean {
  const texts = [row?.prompt, row?.id, rejected?.reason, ...failures.map(({ message }) => message)];
  return texts.some((candidate) => candidate?.toLowerCase().includes(wanted));
}
