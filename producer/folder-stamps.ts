import { mkdir, rm, stat, utimes, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { hasCode } from "../shared/caught.ts";
import { stateFolder } from "../shared/state-files.ts";

/** Times of a file system may count in twos of seconds: a folder that changed so shortly ago may change without a new one. */
const restMs = 10_000;
/** A time that no folder of a run has by itself. */
const longAgo = new Date("2000-01-01T00:00:00Z");

/** What changes whenever a name is added to a folder or removed from it; undefined where that cannot be told for certain. */
export type FolderStamp = (folder: string) => Promise<string | undefined>;

/**
 * Stamps of the folders of a run directory. They are made of the folder's times, so there are none where the file system does
 * not keep these (some that show a bucket as a disk do not), which is tried once in the state folder.
 */
export function folderStamps(directory: string, now: () => number = Date.now): FolderStamp {
  let keepsTimes: Promise<boolean> | undefined;
  return async (folder) => {
    keepsTimes ??= tryTimes(join(directory, stateFolder, "times"));
    return (await keepsTimes) ? await stampOf(join(directory, folder), now()) : undefined;
  };
}

async function stampOf(path: string, now: number): Promise<string | undefined> {
  try {
    const { dev, ino, mtimeNs, ctimeNs, mtimeMs, ctimeMs } = await stat(path, { bigint: true });
    const restingMs = now - Number(mtimeMs > ctimeMs ? mtimeMs : ctimeMs);
    return restingMs < restMs ? undefined : [dev, ino, mtimeNs, ctimeNs].join(" ");
  } catch (error) {
    if (hasCode(error, "ENOENT")) return undefined;
    throw error;
  }
}

/** Whether a folder's time changes with a new name in it and once more without it, as this file system tells it. */
async function tryTimes(folder: string): Promise<boolean> {
  try {
    await mkdir(folder, { recursive: true });
    const changes = async (change: () => Promise<unknown>) => {
      await utimes(folder, longAgo, longAgo);
      const before = await stat(folder);
      await change();
      const after = await stat(folder);
      return before.mtimeMs === longAgo.getTime() && after.mtimeMs > before.mtimeMs;
    };
    const file = join(folder, "file");
    return (await changes(() => writeFile(file, ""))) && (await changes(() => rm(file)));
  } catch {
    // Whatever it does not take: then all folders are listed, as where nothing is known.
    return false;
  } finally {
    await rm(folder, { recursive: true, force: true }).catch(() => undefined);
  }
}
