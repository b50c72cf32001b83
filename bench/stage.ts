import { mkdtemp, rm } from "node:fs/promises";
import { createWriteStream } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";

/** A folder that is removed with the row. */
export async function temporaryFolder(): Promise<{ path: string } & AsyncDisposable> {
  const path = await mkdtemp(join(tmpdir(), "imagemill-bench-"));
  return {
    path,
    [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true, maxRetries: 20 }),
  };
}

/** Writes a dataset of so many prompts of about 60 letters and gives its path. */
export async function writePrompts(folder: string, count: number): Promise<string> {
  const path = join(folder, `prompts-${count}.jsonl`);
  function* lines() {
    for (let i = 0; i < count; i++)
      yield `${JSON.stringify({ prompt: `prompt ${i} of a benchmark: a lighthouse at dusk, in oil` })}\n`;
  }
  await pipeline(Readable.from(lines()), createWriteStream(path));
  return path;
}

/** Arguments that make a run of the simulator's model. */
export function runArgs(
  command: "run" | "enqueue",
  dataset: string,
  out: string,
  args: readonly string[],
): string[] {
  return [
    command,
    dataset,
    "--out",
    out,
    "--provider",
    "openai",
    "--json",
    "--yes",
    "--seed",
    "1",
    ...args,
  ];
}
