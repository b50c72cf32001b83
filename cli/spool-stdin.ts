import { createWriteStream } from "node:fs";
import { access, rename } from "node:fs/promises";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import { prepareDirectory, statePaths } from "../producer/run-directory.ts";
import { hasCode } from "../shared/caught.ts";
import type { DatasetFormat } from "../shared/run-file.ts";

/**
 * Keeps standard input as a file of the run, so that it can be resumed, and gives its path. A run that has its input
 * already keeps that one.
 * @throws UsageError where the run directory cannot be used
 */
export async function spoolStdin(
  input: NodeJS.ReadableStream,
  out: string,
  format: DatasetFormat,
): Promise<string> {
  const kept = await keptStdin(out, format);
  if (kept !== undefined) return kept;
  await prepareDirectory(out);
  const path = stdinPath(out, format);
  await pipeline(input, createWriteStream(`${path}.part`));
  await rename(`${path}.part`, path);
  return path;
}

/** The standard input that a run has kept; undefined where there is none. */
export async function keptStdin(out: string, format: DatasetFormat): Promise<string | undefined> {
  const path = stdinPath(out, format);
  try {
    await access(path);
    return path;
  } catch (error) {
    if (hasCode(error, "ENOENT")) return undefined;
    throw error;
  }
}

function stdinPath(out: string, format: DatasetFormat): string {
  return join(statePaths(out).state, `stdin.${format}`);
}
