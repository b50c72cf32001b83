import { hostname } from "node:os";
import { basename, join } from "node:path";
import { messageOf } from "../shared/caught.ts";
import { NewerVersionError } from "../shared/newer-version.ts";
import { objectState } from "../shared/object-state.ts";
import type { ObjectStore } from "../shared/object-store.ts";
import { openStore, type S3Options } from "../shared/open-store.ts";
import type { Registration } from "../shared/registration.ts";
import { readRunFile, type RunFile } from "../shared/run-file.ts";
import { isS3Location } from "../shared/s3-location.ts";
import { NotHere } from "./job-moves.ts";

/** How a worker sees runs. */
export interface RunSight {
  /** Folder where run directories are found under their own names, if not at the producer's path. */
  storageRoot?: string | undefined;
  /** For runs at `s3://` locations: options of the SDK's client. */
  s3?: S3Options | undefined;
}

/** A run that can be seen from here. */
export interface FoundRun {
  location: string;
  file: RunFile;
  /** Where it is kept, if not in a folder. */
  store: ObjectStore | undefined;
}

/**
 * The run at its location, or below the worker's own root: `run.json` has to be there and hold its id.
 * @throws NotHere where it cannot be seen from here, naming both hosts, or is of a newer version
 */
export async function findRun(registration: Registration, sight: RunSight): Promise<FoundRun> {
  return isS3Location(registration.location)
    ? await findInStore(registration, sight)
    : await findInFolders(registration, sight);
}

async function findInFolders(
  { run, location, host }: Registration,
  { storageRoot }: RunSight,
): Promise<FoundRun> {
  const mounted = storageRoot === undefined ? [] : [join(storageRoot, basename(location))];
  const candidates = [location, ...mounted];
  let found = "is not there";
  for (const candidate of candidates) {
    try {
      const file = await readRunFile(candidate);
      if (file?.id === run) return { location: candidate, file, store: undefined };
      if (file) found = `holds run ${file.id}`;
    } catch (error) {
      if (error instanceof NewerVersionError) throw new NotHere(error.message);
      found = `cannot be read (${messageOf(error)})`;
    }
  }
  throw new NotHere(
    `run ${run} is at ${location} on ${host}, but on ${hostname()} ${candidates.join(" or ")} ${found}: ` +
      "mount the run directory there, or start the worker with --storage-root",
  );
}

async function findInStore(
  { run, location, host }: Registration,
  { s3 }: RunSight,
): Promise<FoundRun> {
  let store: ObjectStore | undefined;
  let found: string;
  try {
    store = await openStore(location, s3);
    const file = await readRunFile(objectState(store));
    if (file?.id === run) return { location, file, store };
    found = file ? `it holds run ${file.id}` : "there is no run";
  } catch (error) {
    found = messageOf(error);
  }
  store?.close();
  throw new NotHere(`run ${run} of ${host} is at ${location}, but on ${hostname()} ${found}`);
}
