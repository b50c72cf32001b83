import { mkdir, rm } from "node:fs/promises";
import { dirname } from "node:path";
import { growing } from "../shared/numbered-parts.ts";
import { objectState } from "../shared/object-state.ts";
import type { ObjectStore } from "../shared/object-store.ts";
import { PartedCopy } from "../shared/parted-copy.ts";
import { readRunFile, type RunFile } from "../shared/run-file.ts";
import { journalPath, type StateFiles } from "../shared/state-files.ts";
import { readSteering, type Steering } from "../shared/steering.ts";
import { StorageError } from "../shared/storage.ts";
import type { FoundImage, JournalState, RunSource } from "./run-source.ts";

/** A run in an object store. Its journal is copied to a folder here once somebody wants to see it. */
export class BucketSource implements RunSource {
  readonly location: string;
  readonly directory: string;
  readonly #state: StateFiles;
  /** A storage takes money for each request. */
  readonly everyMs = { wanted: 2_000, idle: 30_000 };
  readonly store: ObjectStore;
  readonly #copy: PartedCopy;

  /** `directory`: where its journal is copied to; made when that is wanted, removed at the end. */
  constructor(store: ObjectStore, directory: string) {
    this.location = store.location;
    this.directory = directory;
    this.#state = objectState(store);
    this.store = store;
    this.#copy = new PartedCopy(store, growing.journal, journalPath(directory));
  }

  readRun(): Promise<RunFile | undefined> {
    return readRunFile(this.#state);
  }

  readSteering(): Promise<Steering | undefined> {
    return readSteering(this.#state);
  }

  async refreshJournal(isWanted: boolean): Promise<JournalState> {
    if (isWanted) {
      await mkdir(dirname(journalPath(this.directory)), { recursive: true });
      await this.#copy.refresh();
    }
    const bytes = isWanted ? this.#copy.bytes : await this.#state.journalBytes();
    return { bytes, rewrites: this.#copy.rewrites };
  }

  async findImage(file: string): Promise<FoundImage | undefined> {
    const found = await this.store.look(file);
    if (!found) return undefined;
    const { bytes, tag } = found;
    const read = async () => {
      const opened = await this.store.open(file);
      if (!opened) throw new StorageError(`${this.location}/${file} is gone`);
      return opened.body;
    };
    return { bytes, version: `${this.location}/${file} ${tag}`, read };
  }

  async close(): Promise<void> {
    this.store.close();
    await rm(this.directory, { recursive: true, force: true });
  }
}
