import { createWriteStream } from "node:fs";
import { access, rename } from "node:fs/promises";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import { prepareDirectory, statePaths } from "../producer/run-directory.ts";
import { hasCode, messageOf } from "../shared/caught.ts";
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
  try {
    await access(path);
    return path;
  } catch (error) {
    if (!hasCode(error, "ENOENT")) throw error;
  }
  await prepareDirectory(out);
  const part = `${path}.${process.pid}.part`;
  await pipeline(() => lines(rows), createWriteStream(part));
  await rename(part, path);
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
