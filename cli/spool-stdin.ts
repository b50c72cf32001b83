import { join } from "node:path";
import { statePaths } from "../producer/run-directory.ts";
import { isSpooled, spool } from "../producer/spool.ts";
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
  const path = stdinPath(out, format);
  await spool(input, path, out);
  return path;
}

/** The standard input that a run has kept; undefined where there is none. */
export async function keptStdin(out: string, format: DatasetFormat): Promise<string | undefined> {
  const path = stdinPath(out, format);
  return (await isSpooled(path)) ? path : undefined;
}

function stdinPath(out: string, format: DatasetFormat): string {
  return join(statePaths(out).state, `stdin.${format}`);
}
