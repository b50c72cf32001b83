import { readdir } from "node:fs/promises";
import { join, resolve } from "node:path";
import { ifThere } from "../shared/if-there.ts";
import { Cleanup } from "../shared/cleanup.ts";
import { openStore, type S3Options } from "../shared/open-store.ts";
import { isS3Location, normalS3Location } from "../shared/s3-location.ts";

/** Where runs are looked for: in folders, or at `s3://` locations. */
export interface RunPlaces {
  /** What is directly below each may be a run. */
  roots: readonly string[];
  /** Locations of runs. */
  directories: readonly string[];
  /** For `s3://` locations: options of the SDK's client. */
  s3?: S3Options | undefined;
}

/** The folders that may be run directories, by their absolute paths. */
export async function foldersOf({ roots, directories }: RunPlaces): Promise<Set<string>> {
  const below = await Promise.all(roots.filter((root) => !isS3Location(root)).map(subfolders));
  const given = directories.filter((directory) => !isS3Location(directory));
  return new Set([...given, ...below.flat()].map((path) => resolve(path)));
}

/** The `s3://` locations that may be runs. @throws StorageError where a storage cannot be asked */
export async function bucketsOf({ roots, directories, s3 }: RunPlaces): Promise<Set<string>> {
  const found = new Set(directories.filter(isS3Location).map(normalS3Location));
  for (const root of roots.filter(isS3Location)) {
    await using stack = new Cleanup();
    const store = await openStore(root, s3);
    stack.defer(async () => store.close());
    for await (const name of store.listFolders()) found.add(`${store.location}/${name}`);
  }
  return found;
}

async function subfolders(root: string): Promise<string[]> {
  const entries = (await ifThere(readdir(root, { withFileTypes: true }))) ?? [];
  return entries
    .filter((entry) => entry.isDirectory() || entry.isSymbolicLink())
    .map(({ name }) => join(root, name));
}
