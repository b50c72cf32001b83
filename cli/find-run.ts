import { readdir } from "node:fs/promises";
import { join, resolve } from "node:path";
import { workFolder, type PlaceAccess } from "../producer/open-place.ts";
import { hasCode } from "../shared/caught.ts";
import { Cleanup } from "../shared/cleanup.ts";
import { ifThere } from "../shared/if-there.ts";
import { openState } from "../shared/open-store.ts";
import { pathTrouble, shownPath } from "../shared/path-trouble.ts";
import { readRunFile, type RunFile } from "../shared/run-file.ts";
import { locationOf } from "../shared/run-location.ts";
import { isS3Location } from "../shared/s3-location.ts";
import { StorageError } from "../shared/storage.ts";
import { UsageError } from "../shared/usage-error.ts";

/** Where runs go by default, and where an id is looked for. */
const runsFolder = "runs";

/** Of the system, for a path at which nothing can be. */
const noPlaceCodes = ["ENOTDIR", "ENAMETOOLONG", "ELOOP"];

/** A run that can be seen from here. */
export interface FoundRun {
  /** An absolute path or `s3://bucket/prefix`. */
  location: string;
  /** Where its private Redis is, if it has one here: the run directory itself, or that of a working copy. */
  directory: string;
  run: RunFile;
}

/** The run at a location; undefined where there is none. @throws UsageError where a storage cannot be asked */
async function runIn(text: string, access: PlaceAccess): Promise<FoundRun | undefined> {
  const location = locationOf(text);
  await using stack = new Cleanup();
  const state = await openState(location, access.s3, stack);
  const run = await readRunFile(state).catch((error: unknown) => {
    if (noPlaceCodes.some((code) => hasCode(error, code))) return undefined;
    const why = pathTrouble(error);
    if (why !== undefined)
      throw new UsageError(`cannot read the run at ${shownPath(location)}: ${why}`, {
        cause: error,
      });
    if (error instanceof StorageError) throw new UsageError(error.message, { cause: error });
    throw error;
  });
  return run && { location, directory: workFolder(location, access.cacheFolder), run };
}

/** Runs below `runs/`; directories that cannot be read are left out. */
export async function runsHere(access: PlaceAccess): Promise<FoundRun[]> {
  const names = (await ifThere(readdir(runsFolder))) ?? [];
  const found = await Promise.all(
    names.toSorted().map((name) => runIn(join(runsFolder, name), access).catch(() => undefined)),
  );
  return found.filter((run) => run !== undefined);
}

/** Looks for a run by its location or by its id among `runs/`. */
export async function lookForRun(
  idOrDirectory: string,
  access: PlaceAccess,
): Promise<FoundRun | undefined> {
  const named = await runIn(idOrDirectory, access);
  return named ?? (await runsHere(access)).find(({ run }) => run.id === idOrDirectory);
}

/** Finds a run by its location or by its id among `runs/`. @throws UsageError where there is none */
export async function findRun(idOrDirectory: string, access: PlaceAccess): Promise<FoundRun> {
  const found = await lookForRun(idOrDirectory, access);
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
  if (isS3Location(idOrDirectory)) return `there is no run at ${idOrDirectory}`;
  return `${shownPath(idOrDirectory)} is neither a run directory nor the id of a run in ${resolve(runsFolder)}`;
}
