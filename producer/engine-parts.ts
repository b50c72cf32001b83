import type { FileHandle } from "node:fs/promises";
import type { JournalLine } from "../shared/journal-line.ts";
import type { Log } from "../shared/log.ts";
import type { RunFile } from "../shared/run-file.ts";
import type { StateAt } from "../shared/state-files.ts";
import type { Journal } from "./journal.ts";
import type { LaneClient } from "./lane-client.ts";
import type { TakenModel } from "./prompt-rows.ts";
import type { RowHashes } from "./row-hashes.ts";
import type { RunLock } from "./run-lock.ts";
import type { RunPlace } from "./run-place.ts";
import type { Settled } from "./settled.ts";
import type { StopReason } from "./stop.ts";

/** What an engine runs on. */
export interface EngineParts {
  run: RunFile;
  /** Where workers find the run. */
  location: string;
  /** In which storage that is, if it is a bucket. */
  storage: string | undefined;
  listImages: RunPlace["listImages"];
  /** Its small files. */
  state: StateAt;
  /** Rows whose hashes are kept before the first of them is sent. */
  rowsAhead: number;
  lane: LaneClient;
  /** No other producer and no other worker uses this Redis. */
  privateRedis: boolean;
  journal: Journal;
  lock: RunLock;
  journalFile: FileHandle;
  settled: Settled;
  hashes: RowHashes;
  model: TakenModel;
  windowCeiling: number | undefined;
  maxFailures: number | undefined;
  giveUpAfterMs: number;
  /** How long calls in flight may go on once the run stops. */
  graceMs: number;
  log: Log;
  /** Told of everything that went wrong in Redis: it is tried again. */
  onError: (error: Error) => void;
  /** Called once the run is registered, before anything is fed: the moment for workers of one's own. */
  onOpened: () => Promise<void>;
  onSettled: (lines: readonly JournalLine[]) => void;
}

/** What an engine's run ended with. */
export interface EngineEnd {
  stop: StopReason | undefined;
  /** Rows of the run, where the dataset's end (`ended`) or its limit was reached. */
  rows: number | undefined;
  ended: boolean;
}
