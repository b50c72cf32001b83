import { createWriteStream } from "node:fs";
import { access, rename } from "node:fs/promises";
import { pipeline } from "node:stream/promises";
import { hasCode } from "../shared/caught.ts";
import { prepareDirectory } from "./run-directory.ts";

/** Whether a file that {@link spool} writes is there. */
export async function isSpooled(path: string): Promise<boolean> {
  try {
    await access(path);
    return true;
  } catch (error) {
    if (hasCode(error, "ENOENT")) return false;
    throw error;
  }
}

/**
 * Writes what can be read only once to `path` in the state folder of a run directory, so that the run can be resumed without
 * it. The file is there as a whole or not at all.
 * @throws UsageError where the run directory cannot be used
 */
export async function spool(
  source: AsyncIterable<string | Buffer>,
  path: string,
  directory: string,
): Promise<void> {
  await prepareDirectory(directory);
  // Two processes may do this for the same run before one of them gets its lock.
  const part = `${path}.${process.pid}.part`;
  await pipeline(source, createWriteStream(part));
  await rename(part, path);
}
