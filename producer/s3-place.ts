import { mkdtemp, readdir, rm } from "node:fs/promises";
import { join, resolve } from "node:path";
import { createWriteStream } from "node:fs";
import { pipeline } from "node:stream/promises";
import { isDiskTrouble, messageOf } from "../shared/caught.ts";
import { Cleanup } from "../shared/cleanup.ts";
import { makeFolder } from "../shared/make-folder.ts";
import { growing } from "../shared/numbered-parts.ts";
import { objectState } from "../shared/object-state.ts";
import type { ObjectStore } from "../shared/object-store.ts";
import { PartedCopy } from "../shared/parted-copy.ts";
import { readRunFile, writeRunFile, type RunFile } from "../shared/run-file.ts";
import { stateFolder, type StateFiles } from "../shared/state-files.ts";
import { StorageError } from "../shared/storage.ts";
import { UsageError } from "../shared/usage-error.ts";
import { acquireObjectLock, type ObjectLock } from "./object-lock.ts";
import { PartedFile } from "./parted-file.ts";
import { statePaths } from "./run-directory.ts";
import type { OpenedPlace, RunPlace } from "./run-place.ts";

/** How the names of datasets begin that can be read only once, and are kept with their run. */
const inputs = ["stdin.", "rows."];

/**
 * A run in an object store. Its producer works on a copy in `directory`, which is made anew each time the run is opened:
 * what counts is what is kept.
 */
export class S3Place implements RunPlace {
  readonly location: string;
  readonly directory: string;
  readonly state: StateFiles;
  readonly rowsAhead = 4_000;
  readonly store: ObjectStore;
  readonly #onClose: () => Promise<void>;
  #lock: ObjectLock | undefined;

  constructor(store: ObjectStore, directory: string, onClose = async () => {}) {
    this.location = store.location;
    this.directory = directory;
    this.state = objectState(store);
    this.store = store;
    this.#onClose = onClose;
  }

  storage(): Promise<string> {
    return this.store.storage();
  }

  async prepare(): Promise<void> {
    await usable(async () => {
      for await (const { name } of this.store.list("")) {
        if (name.startsWith(`${stateFolder}/`)) return;
        if (name.startsWith(".")) continue;
        throw new UsageError(
          `${this.location} is not empty and holds no run (there is ${name}): give another --out`,
        );
      }
    });
  }

  async lock(): Promise<ObjectLock> {
    this.#lock = await usable(() => acquireObjectLock(this.store));
    return this.#lock;
  }

  async open(): Promise<OpenedPlace> {
    const lock = this.#lock;
    if (!lock) throw new Error("a run is opened by the holder of its lock");
    const { journal, rows } = statePaths(this.directory);
    return await usable(async () => {
      await this.#empty();
      const files = await Promise.all([
        PartedFile.open({ store: this.store, folder: growing.journal, path: journal, lock }),
        PartedFile.open({ store: this.store, folder: growing.rows, path: rows, lock }),
        this.#fetchInputs(),
      ]);
      return {
        keepJournal: (bytes) => files[0].append(bytes),
        keepRows: (bytes) => files[1].append(bytes),
        cutJournal: (length) => usable(() => files[0].cut(length)),
        [Symbol.asyncDispose]: async () => {
          await Promise.all([files[0].close(), files[1].close()]);
        },
      };
    });
  }

  async copy(): Promise<boolean> {
    await this.copyJournal();
    await usable(async () => {
      const { rows } = statePaths(this.directory);
      await new PartedCopy(this.store, growing.rows, rows).refresh();
      await this.#fetchInputs();
    });
    return true;
  }

  async copyJournal(): Promise<boolean> {
    const { journal, state } = statePaths(this.directory);
    await usable(async () => {
      await makeFolder(state);
      await new PartedCopy(this.store, growing.journal, journal).refresh();
    });
    return true;
  }

  async readRun(): Promise<RunFile | undefined> {
    const run = await usable(() => readRunFile(this.state));
    return run && withSource(run, this.location, this.directory);
  }

  async writeRun(run: RunFile): Promise<void> {
    await writeRunFile(this.state, withSource(run, this.directory, this.location));
  }

  async findInput(name: string): Promise<string | undefined> {
    const key = `${stateFolder}/${name}`;
    return await usable(async () => {
      for await (const found of this.store.list(key))
        if (found.name === key) return `${this.location}/${key}`;
      return undefined;
    });
  }

  async keepInput(name: string, input: AsyncIterable<string | Buffer>): Promise<string> {
    await this.prepare();
    const key = `${stateFolder}/${name}`;
    await makeFolder(this.directory);
    const folder = await mkdtemp(join(this.directory, "input-"));
    await using stack = new Cleanup();
    stack.defer(() => rm(folder, { recursive: true }));
    const path = join(folder, name);
    await pipeline(input, createWriteStream(path));
    await usable(() => this.store.putFile(key, path));
    return `${this.location}/${key}`;
  }

  pathOf(dataset: string): string {
    return movedPath(dataset, this.location, this.directory) ?? resolve(dataset);
  }

  /** There are no folders in a bucket. */
  async stampOf(): Promise<undefined> {
    return undefined;
  }

  async listImages(folder: string): Promise<string[] | undefined> {
    const names: string[] = [];
    await usable(async () => {
      for await (const { name } of this.store.list(`${folder}/`)) {
        names.push(name.slice(folder.length + 1));
        // Of all images together it counts only whether there are any.
        if (!folder.includes("/")) break;
      }
    });
    return names.length > 0 ? names : undefined;
  }

  async publish(): Promise<void> {
    for (const entry of await readdir(this.directory, { withFileTypes: true })) {
      if (entry.isFile()) await this.store.putFile(entry.name, join(this.directory, entry.name));
    }
  }

  async close(): Promise<void> {
    this.store.close();
    await this.#onClose();
  }

  /**
   * All but the run's private Redis, which knows jobs that are still to be settled, and copies of what grows: of these only
   * what differs is fetched.
   */
  async #empty(): Promise<void> {
    const { state, journal, rows } = statePaths(this.directory);
    await makeFolder(state, 0o700);
    const kept = [state, join(state, "redis"), journal, rows];
    for (const folder of [this.directory, state])
      for (const name of await readdir(folder))
        if (!kept.includes(join(folder, name))) await rm(join(folder, name), { recursive: true });
  }

  async #fetchInputs(): Promise<void> {
    for (const start of inputs)
      for await (const { name } of this.store.list(`${stateFolder}/${start}`))
        await this.store.getFile(name, join(this.directory, name));
  }
}

/** A dataset that the run keeps itself is named by where it is: in the working copy here, in the store elsewhere. */
function withSource(run: RunFile, from: string, to: string): RunFile {
  const path = movedPath(run.source.path, from, to);
  return path === undefined ? run : { ...run, source: { ...run.source, path } };
}

function movedPath(path: string, from: string, to: string): string | undefined {
  const start = `${from}/${stateFolder}/`;
  return path.startsWith(start) ? `${to}/${stateFolder}/${path.slice(start.length)}` : undefined;
}

/** Before a run is under way, a storage or a disk that cannot be used is a mistake of who named it. @throws UsageError */
async function usable<T>(ask: () => Promise<T>): Promise<T> {
  try {
    return await ask();
  } catch (error) {
    if (error instanceof StorageError) throw new UsageError(messageOf(error), { cause: error });
    if (!isDiskTrouble(error)) throw error;
    throw new UsageError(
      `the copy of the run's state cannot be written here: ${messageOf(error)}`,
      {
        cause: error,
      },
    );
  }
}
