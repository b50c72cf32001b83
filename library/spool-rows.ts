import { join } from "node:path";
import { statePaths } from "../producer/run-directory.ts";
import { isSpooled, spool } from "../producer/spool.ts";
import { messageOf } from "../shared/caught.ts";
import { UsageError } from "../shared/usage-error.ts";

/** One row from code: the prompt itself, or an object with the prompt and any other columns. */
export type PromptRow = string | Record<string, unknown>;

/** Rows from code. */
export type PromptRows = Iterable<PromptRow> | AsyncIterable<PromptRow>;

/**
 * Writes rows from code into the run directory, so that the run can be resumed without them, and gives the file's path. A
 * run that has all its rows already keeps those: then no row is asked for.
 * @throws UsageError where a row cannot be written as JSON or the directory cannot be used
 */
export async function spoolRows(rows: PromptRows, out: string): Promise<string> {
  const path = join(statePaths(out).state, "rows.jsonl");
  if (!(await isSpooled(path))) await spool(lines(rows), path, out);
  return path;
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
