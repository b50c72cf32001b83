import { createWriteStream, rmSync } from "node:fs";
import { mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";

const folders: string[] = [];

/**
 * A folder that is removed with the bench: files that are removed make those that are written in the next seconds slower
 * (ext4 looks for an inode that was not in use just now), and so one row would be measured by what another one left.
 */
export async function temporaryFolder(): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), "imagemill-bench-"));
  folders.push(path);
  return path;
}

/** Removes all of them. */
export function removeFolders(): void {
  for (const path of folders.splice(0))
    rmSync(path, { recursive: true, force: true, maxRetries: 20 });
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
