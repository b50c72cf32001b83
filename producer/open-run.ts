import { EventEmitter } from "node:events";
import { open } from "node:fs/promises";
import { resolve } from "node:path";
import { isDiskTrouble, messageOf } from "../shared/caught.ts";
import { defaultPrefix } from "../shared/keys.ts";
import type { JournalLine } from "../shared/journal-line.ts";
import { silentLog, type Log } from "../shared/log.ts";
import { connectRedis, limitErrors } from "../shared/redis.ts";
import type { RedisTarget } from "../shared/redis-target.ts";
import type { RunFile, RunSummary } from "../shared/run-file.ts";
import { UsageError } from "../shared/usage-error.ts";
import { readDataset } from "./dataset/read-dataset.ts";
import { Journal } from "./journal.ts";
import { LaneClient } from "./lane-client.ts";
import { writeOutputs } from "./outputs/write-outputs.ts";
import { replayJournal } from "./replay.ts";
import { RowHashes } from "./row-hashes.ts";
import {
  datasetStat,
  openRunFile,
  prepareDirectory,
  removeTemporary,
  statePaths,
  writeRunFile,
} from "./run-directory.ts";
import { RunEngine } from "./run-engine.ts";
import type { EngineEnd } from "./engine-parts.ts";
import { acquireRunLock, type RunLock } from "./run-lock.ts";
import type { RunSettings } from "./run-settings.ts";
import type { Settled } from "./settled.ts";
import type { StopReason } from "./stop.ts";
import { summarize } from "./summarize.ts";

/** A Redis to run over. */
export interface QueueAccess {
  redis: RedisTarget;
  /** Started for this run alone: no other producer and no living worker knows it. */
  isPrivate: boolean;
}

/** What `openRun` takes. */
export interface OpenRunOptions {
  /** The run directory. */
  out: string;
  settings: RunSettings;
  /** Starts a new round that settles failures again: of these kinds, or of all (`null`). */
  retry?: { kinds: string[] | null } | undefined;
  /** Asked once, and only if something is to be done: a complete run needs no Redis. */
  queue(run: RunFile): Promise<QueueAccess>;
  /** Called once the run is known to workers, before the first prompt: the moment to start workers of one's own. */
  onOpened?: ((queue: QueueAccess) => Promise<void>) | undefined;
  /** Whether parameters that the model's schema does not know go to the server as they are. */
  passThrough: boolean;
  prefix?: string | undefined;
  /** Most prompts in Redis at once. */
  window?: number | undefined;
  /** The run stops when more prompts than this have failed. */
  maxFailures?: number | undefined;
  /** The run stops when Redis or storage are away longer than this. Default 15 minutes. */
  giveUpAfterMs?: number | undefined;
  /** How long calls in flight may go on once the run stops. Default: the call timeout. */
  graceMs?: number | undefined;
  log?: Log | undefined;
}

/** How far a run is. */
export interface RunProgress {
  totals: Settled["totals"];
  settled: number;
  /** Prompts in Redis now. */
  inFlight: number;
  /** Rows of the run, once its end was read. */
  total: number | undefined;
  /** Calls in flight at the lane's workers, as they last told. */
  calls: number;
  /** Living workers of the lane that the provider has not refused; undefined before the run is under way. */
  workers: number | undefined;
  /** Why workers wait, where they do. */
  waiting: string | undefined;
}

/** A run that is under way. */
export interface Run {
  readonly id: string;
  /** What the run directory said of it when it was opened. */
  readonly resumed: boolean;
  /** Nothing is left to be done: no Redis is asked for, no call made. */
  readonly isComplete: boolean;
  /** What was repaired when the run directory was opened, for people. */
  readonly repaired: readonly string[];
  /** Resolves when all output files are written; rejects only on a bug or where the directory fails. */
  readonly finished: Promise<RunSummary>;
  progress(): RunProgress;
  /** Ends it early: nothing more is sent; what is in flight is settled. */
  stop(reason: StopReason): void;
  /** Told of prompts once they are durably settled. Gives a function that ends it. */
  onSettled(listener: (lines: readonly JournalLine[]) => void): () => void;
}

/**
 * Creates or resumes the run of a directory and starts it.
 * @throws UsageError where the directory is in use, holds another run, or rows of the dataset have changed
 */
export async function openRun(options: OpenRunOptions): Promise<Run> {
  const directory = resolve(options.out);
  const stack = new AsyncDisposableStack();
  try {
    await prepareDirectory(directory);
    const lock = stack.use(await lockDirectory(directory));
    const { run, isNew, isChanged } = await openRunFile(directory, options.settings);
    const paths = statePaths(directory);
    if (options.retry) startRound(run, options.retry.kinds);
    const { settled, validBytes, torn } = await replayJournal(paths.journal, run);
    const repaired = torn
      ? ["the journal's last line was torn and was cut off: its prompt is settled again"]
      : [];
    const hashes = stack.use(await RowHashes.open(paths.rows));
    const hasMoved = await checkDataset(run, hashes);
    if (isNew) await readFirstRow(run);
    if (isChanged || hasMoved || options.retry) await writeRunFile(directory, run);
    const journal = stack.use(await Journal.open(paths.journal, validBytes, lock));
    const journalFile = await open(paths.journal, "r");
    stack.defer(() => journalFile.close());
    const life = new RunLife({
      ...options,
      directory,
      run,
      settled,
      hashes,
      journal,
      lock,
      journalFile,
    });
    const finished = runAndClose(life, stack.move());
    finished.catch(() => undefined);
    return {
      id: run.id,
      resumed: !isNew,
      isComplete: life.isComplete,
      repaired,
      finished,
      progress: () => life.progress(),
      stop: (reason) => life.stop(reason),
      onSettled: (listener) => life.onSettled(listener),
    };
  } finally {
    await stack.disposeAsync();
  }
}

/** @throws UsageError where the directory cannot be written to, or a living producer holds the run */
async function lockDirectory(directory: string): Promise<RunLock> {
  try {
    return await acquireRunLock(directory);
  } catch (error) {
    if (!isDiskTrouble(error)) throw error;
    throw new UsageError(`cannot write to the run directory: ${messageOf(error)}`, {
      cause: error,
    });
  }
}

/** A new round: failures of these kinds (null: of all) are settled again. */
function startRound(run: RunFile, kinds: string[] | null): void {
  run.round += 1;
  run.retryKinds = kinds;
  run.outputsAt = null;
}

/** Compares rows that were read with the dataset as it is, unless the file is untouched. True where that was needed. */
async function checkDataset(run: RunFile, hashes: RowHashes): Promise<boolean> {
  const { size, mtimeMs } = await datasetStat(run.source.path);
  if (size === run.dataset.size && mtimeMs === run.dataset.mtimeMs) return false;
  await hashes.verify(readDataset(run.source), run.source.path);
  run.dataset = { size, mtimeMs, rows: null };
  return true;
}

/** A dataset that cannot be read at all, or lacks a column, is refused before the run exists. @throws UsageError */
async function readFirstRow(run: RunFile): Promise<void> {
  for await (const row of readDataset(run.source)) if (row.index >= 0) return;
}

async function runAndClose(life: RunLife, resources: AsyncDisposableStack): Promise<RunSummary> {
  try {
    return await life.run();
  } finally {
    await resources.disposeAsync();
  }
}

interface LifeParts extends OpenRunOptions {
  directory: string;
  run: RunFile;
  settled: Settled;
  hashes: RowHashes;
  journal: Journal;
  lock: RunLock;
  journalFile: Awaited<ReturnType<typeof open>>;
}

/** From the opened directory to its output files. */
class RunLife {
  readonly #parts: LifeParts;
  readonly #listeners = new Set<(lines: readonly JournalLine[]) => void>();
  readonly #startedAt = Date.now();
  /** Whether every row of an untouched dataset was settled when the run was opened. */
  readonly isComplete: boolean;
  #engine: RunEngine | undefined;
  #stop: StopReason | undefined;

  constructor(parts: LifeParts) {
    this.#parts = parts;
    const { run, settled } = parts;
    const { rows } = run.dataset;
    const wanted = rows === null ? run.limit : Math.min(rows, run.limit ?? rows);
    this.isComplete = wanted !== null && settled.count >= wanted && settled.redo.size === 0;
  }

  progress(): RunProgress {
    const { settled, run } = this.#parts;
    const beats = this.#engine?.heartbeats ?? [];
    const rows = run.dataset.rows;
    return {
      totals: settled.totals,
      settled: settled.count,
      inFlight: this.#engine?.window.size ?? 0,
      total: rows === null ? (run.limit ?? undefined) : Math.min(rows, run.limit ?? rows),
      calls: beats.reduce((sum, beat) => sum + beat.calls.length, 0),
      workers: this.#engine && beats.filter((beat) => beat.fit).length,
      waiting: beats.find((beat) => beat.waiting !== undefined)?.waiting,
    };
  }

  stop(reason: StopReason): void {
    this.#stop ??= reason;
    this.#engine?.stop(reason);
  }

  onSettled(listener: (lines: readonly JournalLine[]) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  async run(): Promise<RunSummary> {
    const { run, directory, journal, lock } = this.#parts;
    const end: EngineEnd = this.isComplete
      ? { stop: undefined, rows: run.dataset.rows ?? undefined, ended: true }
      : await this.#work();
    const summary = summarize(this.#parts, end, Date.now() - this.#startedAt);
    const isCurrent = run.outputsAt === journal.bytes;
    if (isCurrent && !end.stop && run.summary?.state === summary.state) return run.summary;
    if (end.ended && end.rows !== undefined) run.dataset.rows = end.rows;
    run.summary = summary;
    run.outputsAt = journal.bytes;
    try {
      await lock.check();
      if (!isCurrent) await writeOutputs(directory, run);
      await writeRunFile(directory, run);
      return summary;
    } catch (error) {
      if (!isDiskTrouble(error)) throw error;
      const reason = `the output files cannot be written: ${messageOf(error)} (mend it, then run the same command again)`;
      return { ...summary, state: "stopped", reason };
    }
  }

  async #work(): Promise<EngineEnd> {
    const { run, directory, prefix = defaultPrefix, log = silentLog, ...parts } = this.#parts;
    const queue = await this.#parts.queue(run);
    if (queue.isPrivate) await removeTemporary(directory);
    await using stack = new AsyncDisposableStack();
    const errors = new EventEmitter();
    const onError = (error: Error) => void errors.emit("error", error);
    stack.defer(limitErrors(errors, (message, count) => log.warn({ count }, `Redis: ${message}`)));
    const connect = (name: string) => {
      const client = connectRedis(queue.redis, {
        role: "producer",
        name: `imagemill-${name}-${run.id}`,
      });
      client.on("error", onError);
      stack.defer(() => client.disconnect());
      return client;
    };
    const card = { profile: run.profile, model: run.model };
    const lane = new LaneClient(connect("producer"), connect("collector"), prefix, card, run.id);
    lane.onError(onError);
    this.#engine = new RunEngine({
      ...parts,
      run,
      location: directory,
      lane,
      privateRedis: queue.isPrivate,
      windowCeiling: parts.window,
      maxFailures: parts.maxFailures,
      giveUpAfterMs: parts.giveUpAfterMs ?? 15 * 60_000,
      graceMs: parts.graceMs ?? run.timeoutMs,
      log,
      onError,
      onOpened: async () => await this.#parts.onOpened?.(queue),
      onSettled: (lines) => {
        for (const listener of this.#listeners) listener(lines);
      },
    });
    if (this.#stop) this.#engine.stop(this.#stop);
    return await this.#engine.run();
  }
}
