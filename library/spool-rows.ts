import type { RunPlace } from "../producer/run-place.ts";
import { messageOf } from "../shared/caught.ts";
import { UsageError } from "../shared/usage-error.ts";

/** One row from code: the prompt itself, or an object with the prompt and any other columns. */
export type PromptRow = string | Record<string, unknown>;

const fileName = "rows.jsonl";

/** Rows from code. */
export type PromptRows = Iterable<PromptRow> | AsyncIterable<PromptRow>;

/**
 * Keeps rows from code with their run, so that the run can be resumed without them, and gives the file's path. A
 * run that has all its rows already keeps those: then no row is asked for.
 * @throws UsageError where a row cannot be written as JSON or the place cannot be used
 */
export async function spoolRows(rows: PromptRows, place: RunPlace): Promise<string> {
  return (await place.findInput(fileName)) ?? (await place.keepInput(fileName, lines(rows)));
}

async function* lines(rows: PromptRows): AsyncGenerator<string> {
  let number = 0;
  for await (const row of rows) {
    number += 1;
    yield `${asJson(row, number)}\n`;
  }
}

function asJson(row: PromptRow, number: number): string {
  try {
    const text = JSON.stringify(row);
    if (text !== undefined) return text;
  } catch (error) {
    throw new UsageError(`row ${number} cannot be kept as JSON: ${messageOf(error)}`, {
      cause: error,
    });
  }
  throw new UsageError(`expected row ${number} to be a text or an object, got ${typeof row}`);
}
