import { createHash } from "node:crypto";
import {
  mkdir,
  readdir,
  readFile,
  readlink,
  realpath,
  rename,
  rm,
  stat,
  writeFile,
} from "node:fs/promises";
import { basename, dirname, join, resolve, sep } from "node:path";
import { hasCode } from "../../shared/caught.ts";
import { ifThere } from "../../shared/if-there.ts";
import { makeFolder } from "../../shared/make-folder.ts";
import { pathTrouble, shownPath } from "../../shared/path-trouble.ts";
import { runFilePath } from "../../shared/run-file.ts";
import { stateFolder } from "../../shared/state-files.ts";
import { UsageError } from "../../shared/usage-error.ts";
import { acquireRunLock, type RunLock } from "../run-lock.ts";

/**
 * Where an export is made: in `DEST.partial`, which no loader takes for a dataset, until it is whole and moved to `DEST`
 * in one step. One process at a time writes there. What a process that died has made is gone on with where it belongs
 * to the same export.
 */
export class ExportFolder implements AsyncDisposable {
  readonly #to: string;
  readonly #partial: string;
  readonly #lock: RunLock;

  private constructor(to: string, partial: string, lock: RunLock) {
    this.#to = to;
    this.#partial = partial;
    this.#lock = lock;
  }

  /** @throws UsageError where the destination cannot be one, or another process exports to it */
  static async open(to: string, runLocation: string): Promise<ExportFolder> {
    try {
      return await ExportFolder.#open(to, runLocation);
    } catch (error) {
      const why = pathTrouble(error);
      if (why === undefined) throw error;
      throw new UsageError(
        `cannot export to ${shownPath(to)}: ${why}; give another folder by --to`,
        {
          cause: error,
        },
      );
    }
  }

  static async #open(to: string, runLocation: string): Promise<ExportFolder> {
    await checkDestination(to, runLocation);
    // A link to a folder stays one.
    if (await ifThere(readdir(to))) to = await realpath(to);
    const partial = `${to}.partial`;
    await refuseForeign(partial);
    await makeFolder(join(partial, stateFolder));
    return new ExportFolder(to, partial, await acquireRunLock(partial));
  }

  /** What is to be the destination. */
  get files(): string {
    return join(this.#partial, "files");
  }

  /** For what is needed only on the way. */
  get state(): string {
    return join(this.#partial, stateFolder);
  }

  /** Keeps the files that an earlier try at the very same export has made, drops those of another. */
  async begin(identity: readonly string[]): Promise<void> {
    const digest = createHash("sha256").update(JSON.stringify(identity)).digest("hex");
    const path = join(this.state, "export");
    if ((await ifThere(readFile(path, "utf8"))) !== digest) {
      await rm(this.files, { recursive: true, force: true });
      await writeFile(path, digest);
    }
    await mkdir(this.files, { recursive: true });
  }

  /** Moves the whole export to its destination. @throws UsageError where something has come to be there */
  async place(): Promise<void> {
    try {
      await rename(this.files, this.#to);
    } catch (error) {
      if (!hasCode(error, "ENOTEMPTY") && !hasCode(error, "EEXIST")) throw error;
      throw notEmpty(this.#to);
    }
    await this.#lock[Symbol.asyncDispose]();
    await rm(this.#partial, { recursive: true, force: true });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (!(await ifThere(readdir(this.#partial)))) return;
    await this.#lock[Symbol.asyncDispose]();
    if (!(await ifThere(readdir(this.files))))
      await rm(this.#partial, { recursive: true, force: true });
  }
}

/** What is half done is removed in the end: it must not be anybody else's, and no run. */
async function refuseForeign(partial: string): Promise<void> {
  const present = await ifThere(readdir(partial));
  if (!present || present.length === 0) return;
  const isRun = (await ifThere(stat(runFilePath(partial)))) !== undefined;
  if (present.includes(stateFolder) && !isRun) return;
  throw new UsageError(
    `${partial} would be used for what is half done, but it holds something else: move it, or give another --to`,
  );
}

async function checkDestination(to: string, runLocation: string): Promise<void> {
  const [destination, run] = await Promise.all([realPath(to), realPath(runLocation)]);
  if (`${destination}${sep}`.startsWith(`${run}${sep}`))
    throw new UsageError(`${to} lies in the run directory: give a folder outside of it by --to`);
  let names: string[] | undefined;
  try {
    names = await ifThere(readdir(to));
  } catch (error) {
    if (!hasCode(error, "ENOTDIR")) throw error;
    throw new UsageError(
      `${to} is a file or in one: give a folder that is empty or not there yet by --to`,
    );
  }
  if (!names) return await refuseDangling(to);
  if (names.length > 0) throw notEmpty(to);
  const [own, parent] = await Promise.all([stat(to), stat(dirname(resolve(to)))]);
  if (own.dev !== parent.dev) {
    throw new UsageError(
      `${to} is where a disk is mounted, so that nothing can be moved there as a whole: give a folder in it, such as ${join(to, basename(runLocation))}`,
    );
  }
}

/** The path without links, also of what is not there yet. */
async function realPath(path: string): Promise<string> {
  try {
    return await realpath(path);
  } catch (error) {
    if (dirname(path) === path || !(hasCode(error, "ENOENT") || hasCode(error, "ENOTDIR")))
      throw error;
    return join(await realPath(dirname(path)), basename(path));
  }
}

async function refuseDangling(to: string): Promise<void> {
  const target = await ifThere(readlink(to));
  if (target !== undefined)
    throw new UsageError(`${to} is a link to ${target}, which is not there: make that folder`);
}

function notEmpty(to: string): UsageError {
  return new UsageError(
    `${to} is not empty: give a folder that is empty or not there yet by --to, or remove it`,
  );
}
