import { readdir } from "node:fs/promises";
import { join, resolve } from "node:path";
import { hasCode } from "../shared/caught.ts";
import { readRunFile, type RunFile } from "../shared/run-file.ts";
import { UsageError } from "../shared/usage-error.ts";

/** Where runs go by default, and where an id is looked for. */
const runsFolder = "runs";

/** A run directory that can be seen from here. */
export interface FoundRun {
  directory: string;
  run: RunFile;
}

/** The run of a directory; undefined where it is none. */
export async function runIn(directory: string): Promise<FoundRun | undefined> {
  const run = await readRunFile(directory).catch((error: unknown) => {
    if (hasCode(error, "ENOTDIR")) return undefined;
    throw error;
  });
  return run && { directory: resolve(directory), run };
}

/** Runs below `runs/`; directories that cannot be read are left out. */
export async function runsHere(): Promise<FoundRun[]> {
  const names: string[] = await readdir(runsFolder).catch((error: unknown) => {
    if (hasCode(error, "ENOENT")) return [];
    throw error;
  });
  const found = await Promise.all(
    names.toSorted().map((name) => runIn(join(runsFolder, name)).catch(() => undefined)),
  );
  return found.filter((run) => run !== undefined);
}

/** Looks for a run by its directory or by its id among `runs/`. */
export async function lookForRun(idOrDirectory: string): Promise<FoundRun | undefined> {
  const named = await runIn(idOrDirectory);
  return named ?? (await runsHere()).find(({ run }) => run.id === idOrDirectory);
}

/** Finds a run by its directory or by its id among `runs/`. @throws UsageError where there is none */
export async function findRun(idOrDirectory: string): Promise<FoundRun> {
  const found = await lookForRun(idOrDirectory);
  if (found) return found;
  throw new UsageError(nowhere(idOrDirectory));
}

/** What is thrown for a run that no directory here is, where no shared Redis can be asked for it either. */
export function notHere(idOrDirectory: string): UsageError {
  return new UsageError(
    `${nowhere(idOrDirectory)}; to find a run elsewhere by its id, set REDIS_URL to its Redis`,
  );
}

function nowhere(idOrDirectory: string): string {
  return `${idOrDirectory} is neither a run directory nor the id of a run in ${resolve(runsFolder)}`;
}
