import { mkdir, stat } from "node:fs/promises";
import { dirname } from "node:path";
import { hasCode } from "./caught.ts";

/**
 * Makes a folder and those above it that are missing; one that is there stays as it is. Each level is tried twice at
 * most: Node's own recursive `mkdir` tries for ever where what is there takes no new folder, as `/proc` or a link to nowhere.
 * @param mode of the folder itself, where it is made
 * @throws the system's error, ENOENT where a folder that is there takes no new ones
 */
export async function makeFolder(path: string, mode?: number): Promise<void> {
  try {
    await makeOne(path, mode);
  } catch (error) {
    const parent = dirname(path);
    if (!hasCode(error, "ENOENT") || parent === path) throw error;
    await makeFolder(parent);
    await makeOne(path, mode);
  }
}

async function makeOne(path: string, mode: number | undefined): Promise<void> {
  try {
    await mkdir(path, { mode });
  } catch (error) {
    // Which code comes for a folder that is there depends on the disk: EROFS of a read-only one, EISDIR of a root.
    const isFolder = await stat(path).then(
      (found) => found.isDirectory(),
      () => false,
    );
    if (!isFolder) throw error;
  }
}
