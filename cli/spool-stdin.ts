import type { RunPlace } from "../producer/run-place.ts";
import type { DatasetFormat } from "../shared/run-file.ts";

/**
 * Keeps standard input with the run, so that it can be resumed, and tells where.
 * @throws UsageError where the run's place cannot be used
 */
export async function spoolStdin(
  input: NodeJS.ReadableStream,
  place: RunPlace,
  format: DatasetFormat,
): Promise<string> {
  return await place.keepInput(stdinName(format), input);
}

/** Where a run has kept its standard input, which it goes on with; undefined where there is none. */
export async function keptStdin(
  place: RunPlace,
  format: DatasetFormat,
): Promise<string | undefined> {
  return await place.findInput(stdinName(format));
}

function stdinName(format: DatasetFormat): string {
  return `stdin.${format}`;
}
