import { hash } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { homedir, tmpdir } from "node:os";
import { join } from "node:path";
import { openStore, type S3Options } from "../shared/open-store.ts";
import { locationOf } from "../shared/run-location.ts";
import { isS3Location } from "../shared/s3-location.ts";
import { folderPlace } from "./folder-place.ts";
import type { RunPlace } from "./run-place.ts";

/** How places are reached. */
export interface PlaceAccess {
  /** For `s3://` locations: options of the SDK's client, `{}` to find credentials and region in its standard places. */
  s3?: S3Options | undefined;
  /** Where working copies of runs at `s3://` locations are. Default: `imagemill` in the user's cache folder. */
  cacheFolder?: string | undefined;
}

/** The folder in which a run is worked on here: of one in a folder the run directory itself. */
export function workFolder(out: string, cacheFolder?: string): string {
  const location = locationOf(out);
  if (!isS3Location(location)) return location;
  const caches = cacheFolder ?? join(homedir(), ".cache", "imagemill");
  return join(caches, "s3", hash("sha256", location, "hex").slice(0, 16));
}

/** The place of a run, to work on it. @throws UsageError where it is malformed or cannot be reached */
export async function openPlace(out: string, access: PlaceAccess): Promise<RunPlace> {
  const location = locationOf(out);
  if (!isS3Location(location)) return folderPlace(location);
  const { S3Place } = await import("./s3-place.ts");
  return new S3Place(
    await openStore(location, access.s3),
    workFolder(location, access.cacheFolder),
  );
}

/** The same only to look at it, while a producer may have it: a copy is removed when the place is closed. */
export async function openPlaceForReading(out: string, access: PlaceAccess): Promise<RunPlace> {
  const location = locationOf(out);
  if (!isS3Location(location)) return folderPlace(location);
  const { S3Place } = await import("./s3-place.ts");
  const store = await openStore(location, access.s3);
  const directory = await mkdtemp(join(tmpdir(), "imagemill-copy-"));
  return new S3Place(store, directory, () => rm(directory, { recursive: true }));
}
