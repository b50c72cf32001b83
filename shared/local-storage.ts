import { randomUUID } from "node:crypto";
import * as fs from "node:fs";
import { access, mkdir, open, readFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import { hasCode, messageOf } from "./caught.ts";
import { ifThere } from "./if-there.ts";
import { linkInPlace } from "./link-in-place.ts";
import { stateFolder } from "./state-files.ts";
import { StorageError, type ImageStorage } from "./storage.ts";

// What is done for every image goes without `node:fs/promises`: for a small one that takes the main thread half as long again.
const unlink = promisify(fs.unlink);
const writeFile = promisify(fs.writeFile);

/** Says which file and why, and turns the error of the system into a {@link StorageError}. */
async function storing<T>(path: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw new StorageError(`${path}: ${messageOf(error)}`, { cause: error });
  }
}

/** Writes and closes a new file; `durable` waits until the disk has it. Leaves nothing behind when it fails. */
async function writeNew(path: string, bytes: Uint8Array, durable: boolean): Promise<void> {
  try {
    await writeFile(path, bytes, { flag: "wx", flush: durable });
  } catch (error) {
    await unlink(path).catch(() => undefined);
    throw error;
  }
}

async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, "r");
  try {
    await folder.datasync();
  } finally {
    await folder.close();
  }
}

/** Images in a local folder that is there. `durable`: an image counts as stored once the disk has it (default: the system). */
export function localStorage(directory: string, { durable = false } = {}): ImageStorage {
  const temporary = join(directory, stateFolder, "tmp");
  const name = randomUUID();
  let puts = 0;
  const made = new Set<string>();

  async function ensureFolder(path: string): Promise<void> {
    if (made.has(path)) return;
    // A run directory that was moved or removed is not made anew: nobody would look for its images there.
    await access(directory);
    await mkdir(path, { recursive: true });
    made.add(path);
  }

  return {
    put: (file, bytes, isValid) => {
      const to = join(directory, file);
      return storing(to, async () => {
        await ensureFolder(temporary);
        await ensureFolder(dirname(to));
        const from = join(temporary, `${name}-${puts++}`);
        try {
          await writeNew(from, bytes, durable);
          const standing = await linkInPlace(from, to, isValid, temporary);
          if (durable) await syncFolder(dirname(to));
          return standing;
        } catch (error) {
          made.clear();
          throw error;
        } finally {
          await unlink(from).catch((error: unknown) => {
            if (!hasCode(error, "ENOENT")) throw error;
          });
        }
      });
    },
    get: (file) => storing(join(directory, file), () => ifThere(readFile(join(directory, file)))),
  };
}
