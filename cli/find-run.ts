import { readdir } from "node:fs/promises";
import { join, resolve } from "node:path";
import { readRunFile, type RunFile } from "../shared/run-file.ts";
import { UsageError } from "../shared/usage-error.ts";

/** Where runs go by default, and where an id is looked for. */
const runsFolder = "runs";

/** Finds a run by its directory or by its id among `runs/`. @throws UsageError where there is none */
export async function findRun(idOrDirectory: string): Promise<{ directory: string; run: RunFile }> {
  const directory = resolve(idOrDirectory);
  const run = await readRunFile(directory);
  if (run) return { directory, run };
  const names: string[] = await readdir(runsFolder).catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return [] as string[];
    throw error;
  });
  for (const name of names) {
    const candidate = resolve(join(runsFolder, name));
    const found = await readRunFile(candidate).catch(() => undefined);
    if (found?.id === idOrDirectory) return { directory: candidate, run: found };
  }
  throw new UsageError(
    `${idOrDirectory} is neither a run directory nor the id of a run in ${resolve(runsFolder)}`,
  );
}
