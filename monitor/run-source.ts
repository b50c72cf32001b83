import type { ObjectStore } from "../shared/object-store.ts";
import type { RunFile } from "../shared/run-file.ts";
import type { Steering } from "../shared/steering.ts";

/** A journal as it was last looked at. */
export interface JournalState {
  bytes: number;
  /** Another number than before: bytes that were there have become others. */
  rewrites: number;
  /** When it was last written, in milliseconds since 1970, where that can be told without more ado. */
  writtenAt?: number;
}

/** An image of a run. */
export interface FoundImage {
  bytes: number;
  /** Another text where its file has changed. */
  version: string;
  read(): Promise<AsyncIterable<Uint8Array>>;
}

/** Where a run is read from. */
export interface RunSource {
  /** An absolute path or `s3://bucket/prefix`. */
  readonly location: string;
  /** The folder below which its journal can be read. */
  readonly directory: string;
  /** Where it is kept; undefined where that is `directory`. */
  readonly store: ObjectStore | undefined;
  /** How often it may be looked at, while somebody wants to see it or it is under way and else. */
  readonly everyMs: { wanted: number; idle: number };
  /** Undefined where the run is gone. @throws Error where it cannot be read */
  readRun(): Promise<RunFile | undefined>;
  /** How it is steered; undefined where it may run. @throws Error where that cannot be read */
  readSteering(): Promise<Steering | undefined>;
  /** Brings the journal up to date where it is wanted, else only tells its length. */
  refreshJournal(isWanted: boolean): Promise<JournalState>;
  /** Undefined where there is none. */
  findImage(file: string): Promise<FoundImage | undefined>;
  /** Removes what it has made here. */
  close(): Promise<void>;
}
