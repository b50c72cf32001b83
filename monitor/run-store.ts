import { readdir } from "node:fs/promises";
import { join, resolve } from "node:path";
import { asError, hasCode } from "../shared/caught.ts";
import type { Log } from "../shared/log.ts";
import { repeat } from "../shared/repeat.ts";
import { readRunFile } from "../shared/run-file.ts";
import { KnownRun } from "./known-run.ts";

/** How often folders are looked through for new runs, and journals for new lines. */
const discoverMs = 2_000;
const refreshMs = 400;

/** Where runs are looked for. */
export interface RunPlaces {
  /** Folders whose sub-folders are run directories. */
  roots: readonly string[];
  /** Run directories. */
  directories: readonly string[];
}

/** The runs of the given folders, kept up to date in the background. Only these are ever read or served. */
export class RunStore {
  readonly #places: RunPlaces;
  readonly #log: Log;
  readonly #byDirectory = new Map<string, KnownRun>();
  readonly #troubles = new Map<string, string>();
  readonly #stopped = new AbortController();
  #loops: Promise<void>[] = [];

  constructor(places: RunPlaces, log: Log) {
    this.#places = places;
    this.#log = log;
  }

  /** Finds the runs that are there, then keeps looking until it is disposed of. */
  async start(): Promise<void> {
    await this.#discover();
    const { signal } = this.#stopped;
    this.#loops = [
      repeat(discoverMs, signal, () => this.#discover(), this.#onError),
      repeat(refreshMs, signal, () => this.#refresh(), this.#onError),
    ];
  }

  /** All runs, the newest first. */
  all(): KnownRun[] {
    return [...this.#byDirectory.values()].toSorted((a, b) =>
      b.file.createdAt.localeCompare(a.file.createdAt),
    );
  }

  find(id: string): KnownRun | undefined {
    return this.all().find((run) => run.file.id === id);
  }

  /** Looks through the folders at once for a run that may have just begun. */
  async lookFor(id: string): Promise<KnownRun | undefined> {
    await this.#discover();
    return this.find(id);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stopped.abort();
    await Promise.all(this.#loops);
  }

  readonly #onError = (error: Error): void => {
    this.#log.warn({ error }, "a run directory could not be read");
  };

  async #discover(): Promise<void> {
    const below = await Promise.all(this.#places.roots.map(subfolders));
    const wanted = new Set(
      [...this.#places.directories, ...below.flat()].map((path) => resolve(path)),
    );
    for (const directory of wanted) {
      if (this.#byDirectory.has(directory)) continue;
      const file = await readRunFile(directory).catch((error: unknown) =>
        this.#tellOnce(directory, asError(error)),
      );
      if (file) this.#byDirectory.set(directory, new KnownRun(directory, file));
    }
  }

  async #refresh(): Promise<void> {
    const smallestFirst = Array.from(this.#byDirectory).toSorted(
      ([, a], [, b]) => a.journalBytes - b.journalBytes,
    );
    for (const [directory, run] of smallestFirst) {
      if (this.#stopped.signal.aborted) return;
      const isThere = await run.refresh();
      if (!isThere) this.#byDirectory.delete(directory);
      if (run.trouble) this.#tellOnce(directory, run.trouble);
    }
  }

  #tellOnce(directory: string, { message }: Error): undefined {
    if (this.#troubles.get(directory) === message) return;
    this.#troubles.set(directory, message);
    this.#log.warn({ directory }, message);
  }
}

async function subfolders(root: string): Promise<string[]> {
  try {
    const entries = await readdir(root, { withFileTypes: true });
    return entries
      .filter((entry) => entry.isDirectory() || entry.isSymbolicLink())
      .map(({ name }) => join(root, name));
  } catch (error) {
    if (hasCode(error, "ENOENT")) return [];
    throw error;
  }
}
