import type { ObjectStore } from "../shared/object-store.ts";
import type { RunFile } from "../shared/run-file.ts";
import type { StateFiles } from "../shared/state-files.ts";
import type { FolderStamp } from "./folder-stamps.ts";
import type { RunLock } from "./run-lock.ts";

/** Keeps bytes that were appended to a local file: they are kept when it resolves. */
export type Keep = (bytes: Buffer) => Promise<void>;

/** What opening a place gives to the holder of its lock. */
export interface OpenedPlace extends AsyncDisposable {
  /** Keeps what was appended to the journal; undefined where the disk does. */
  keepJournal: Keep | undefined;
  /** The same for `rows.bin`. */
  keepRows: Keep | undefined;
  /** Cuts off what of the journal is kept behind so many bytes; undefined where cutting the file does. */
  cutJournal: ((length: number) => Promise<void>) | undefined;
}

/** Where a run is kept, and the folder that its producer works in. */
export interface RunPlace {
  /** For people and workers: an absolute path or `s3://bucket/prefix`. */
  readonly location: string;
  /** The run directory itself, or a working copy of what is kept. */
  readonly directory: string;
  readonly state: StateFiles;
  /** Where everything is kept; undefined where that is `directory`. */
  readonly store: ObjectStore | undefined;
  /** Tells storages apart whose buckets have the same name; undefined of a folder. */
  storage(): Promise<string | undefined>;
  /** Rows whose hashes are kept before the first of them is sent. */
  readonly rowsAhead: number;
  /** @throws UsageError where it cannot be used or holds something else */
  prepare(): Promise<void>;
  /** @throws UsageError where a living producer holds the run, or the place cannot be written to */
  lock(): Promise<RunLock>;
  /** Brings everything that is kept into `directory`, for the holder of the lock. */
  open(): Promise<OpenedPlace>;
  /** The same only for reading, whether or not a producer has the run; false where there is nothing. */
  copy(): Promise<boolean>;
  /** The journal alone. */
  copyJournal(): Promise<boolean>;
  readRun(): Promise<RunFile | undefined>;
  writeRun(run: RunFile): Promise<void>;
  /** Where what can be read only once was kept under this name: below `location`; undefined where it was not. */
  findInput(name: string): Promise<string | undefined>;
  /** Keeps it, as a whole or not at all, and tells where. */
  keepInput(name: string, input: AsyncIterable<string | Buffer>): Promise<string>;
  /** The local path of a dataset, which may be an input that was kept here. */
  pathOf(dataset: string): string;
  /** Names in a folder of images; undefined where there is none. */
  listImages(folder: string): Promise<string[] | undefined>;
  /** What a folder of images is now, for `WholeFolders`. */
  readonly stampOf: FolderStamp;
  /** Keeps the output files that are in `directory`. */
  publish(): Promise<void>;
  /** Ends what it holds. */
  close(): Promise<void>;
}
