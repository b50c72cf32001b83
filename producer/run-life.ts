import type { FileHandle } from "node:fs/promises";
import { isDiskTrouble, messageOf } from "../shared/caught.ts";
import { Cleanup } from "../shared/cleanup.ts";
import type { JournalLine } from "../shared/journal-line.ts";
import { defaultPrefix } from "../shared/keys.ts";
import { silentLog } from "../shared/log.ts";
import type { LanePause } from "../shared/lane-state.ts";
import { formatSeconds } from "../shared/quantity.ts";
import { dropCancel, writeSteering, type Steering } from "../shared/steering.ts";
import { UsageError } from "../shared/usage-error.ts";
import { type RunFile, type RunSummary, wantedRows } from "../shared/run-file.ts";
import { connectLane } from "./connect-lane.ts";
import type { EngineEnd } from "./engine-parts.ts";
import type { Journal } from "./journal.ts";
import type { OpenRunOptions } from "./open-run-options.ts";
import { writeOutputs } from "./outputs/write-outputs.ts";
import type { TakenModel } from "./prompt-rows.ts";
import type { RowHashes } from "./row-hashes.ts";
import { settledLines } from "./settled-lines.ts";
import { removeTemporary, statePaths } from "./run-directory.ts";
import { RunEngine } from "./run-engine.ts";
import type { RunLock } from "./run-lock.ts";
import type { RunPlace } from "./run-place.ts";
import type { Settled } from "./settled.ts";
import type { StopReason } from "./stop.ts";
import { summarize } from "./summarize.ts";
import { TroubleLog } from "./trouble-log.ts";

/** A wait for an attempt as long as this is told. */
const toldWaitMs = 5_000;

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
  /** Why nothing goes on, where that is so. */
  waiting: string | undefined;
  /** Why the lane is paused for all its runs, where it is. */
  lanePause: LanePause | undefined;
}

/** Whether every row that the run asks for is settled; false while the dataset's end was not reached. */
export function isComplete(run: RunFile, { count, redo }: Settled): boolean {
  const wanted = wantedRows(run);
  return wanted !== undefined && count >= wanted && redo.size === 0;
}

/** Why a run ends at once that was cancelled in an earlier life or between two. */
function cancelledBefore({ reason, at, host }: Steering, location: string): StopReason {
  const why = reason === undefined ? "" : ` (${reason})`;
  const undo = `\`imagemill unpause ${location}\` takes that back`;
  return { state: "cancelled", text: `cancelled at ${at} from ${host}${why}: ${undo}` };
}

/** Where a run is kept, told apart from a bucket of the same name elsewhere. */
function spotOf(location: string, storage: string | undefined): string {
  return storage === undefined ? location : `${location} (storage ${storage})`;
}

/** What an opened run directory gives. */
export interface LifeParts extends OpenRunOptions {
  place: RunPlace;
  directory: string;
  run: RunFile;
  model: TakenModel;
  settled: Settled;
  hashes: RowHashes;
  journal: Journal;
  lock: RunLock;
  journalFile: FileHandle;
  /** How the run was steered while no producer had it open. */
  steering: Steering | undefined;
}

/** From the opened directory to its output files. */
export class RunLife {
  readonly #parts: LifeParts;
  readonly #listeners = new Set<(lines: readonly JournalLine[]) => void>();
  readonly #startedAt = Date.now();
  /** Whether every row of an untouched dataset was settled when the run was opened. */
  readonly isComplete: boolean;
  #engine: RunEngine | undefined;
  #stop: StopReason | undefined;
  #hasEnded = false;
  /** Resolves when prompts are settled or the life has ended. */
  #news = Promise.withResolvers<void>();

  constructor(parts: LifeParts) {
    this.#parts = parts;
    const { run, settled, steering, place } = parts;
    if (steering?.state === "cancelled") this.#stop = cancelledBefore(steering, place.location);
    this.isComplete = isComplete(run, settled);
  }

  progress(): RunProgress {
    const { settled, run } = this.#parts;
    const beats = this.#engine?.watch.heartbeats ?? [];
    return {
      totals: settled.totals,
      settled: settled.count,
      inFlight: this.#engine?.window.size ?? 0,
      total: wantedRows(run),
      calls: beats.reduce((sum, beat) => sum + beat.calls.length, 0),
      workers: this.#engine && beats.filter((beat) => beat.fit).length,
      lanePause: this.#engine?.watch.pause,
      waiting:
        this.#engine?.redisTrouble ??
        this.#pausedBy() ??
        beats.find((beat) => beat.waiting !== undefined)?.waiting ??
        (beats.some((beat) => beat.fit) ? this.#nextTry() : undefined),
    };
  }

  /** Told to people while all that is left waits for its next attempt, as long as the provider asked for. */
  #nextTry(): string | undefined {
    const waitMs = (this.#engine?.watch.nextTryAt ?? 0) - Date.now();
    if (waitMs < toldWaitMs) return undefined;
    return `the next attempt is due in ${formatSeconds(waitMs / 1000)}`;
  }

  /** Told to people while somebody has paused the run. */
  #pausedBy(): string | undefined {
    const steering = this.#engine?.watch.steering;
    if (steering?.state !== "paused") return undefined;
    const why = steering.reason === undefined ? "" : ` (${steering.reason})`;
    return `the run is paused${why}: \`imagemill unpause ${this.#parts.place.location}\` lets it go on`;
  }

  stop(reason: StopReason): void {
    this.#stop ??= reason;
    this.#engine?.stop(reason);
  }

  /** Pauses or cancels the run or lets it go on, also for lives to come. @throws UsageError where it has ended */
  async steer(state: "running" | "paused" | "cancelled", reason?: string): Promise<void> {
    const { place, run } = this.#parts;
    if (this.#hasEnded) throw new UsageError(`run ${run.id} has ended: it cannot be steered`);
    if (state === "paused" && this.#stop?.state === "cancelled")
      throw new UsageError(`run ${run.id} is cancelled: there is nothing to pause`);
    if (state !== "cancelled" && this.#engine) return await this.#engine.steer(state, reason);
    await writeSteering(place.state, state, reason);
    if (state === "cancelled") this.stop({ state, text: reason ?? "cancelled" });
  }

  /** Every prompt that is settled, then those that get settled, each once, to the end of this life. */
  lines(): AsyncGenerator<JournalLine> {
    const { directory, journal, settled } = this.#parts;
    return settledLines({
      path: statePaths(directory).journal,
      journal,
      settled,
      grown: () => this.#news.promise,
      isWhole: () => this.#hasEnded,
    });
  }

  onSettled(listener: (lines: readonly JournalLine[]) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  async run(): Promise<RunSummary> {
    try {
      return await this.#run();
    } finally {
      this.#hasEnded = true;
      this.#tell();
    }
  }

  #tell(): void {
    this.#news.resolve();
    this.#news = Promise.withResolvers();
  }

  async #run(): Promise<RunSummary> {
    const { run, settled, place, directory, journal, lock } = this.#parts;
    const end: EngineEnd = this.isComplete
      ? { stop: undefined, rows: run.dataset.rows ?? undefined, ended: true }
      : await this.#work();
    if (!this.isComplete) this.#parts.onLeft?.();
    if (end.ended && end.rows !== undefined) run.dataset.rows = end.rows;
    if (end.stop?.state === "cancelled" && isComplete(run, settled)) {
      // It came too late.
      end.stop = undefined;
      await dropCancel(place.state);
    }
    const summary = summarize(this.#parts, end, Date.now() - this.#startedAt);
    // The pages show the state, too: the same journal under another state is written again.
    const isCurrent = run.outputsAt === journal.bytes && run.summary?.state === summary.state;
    // Where it was at its end, another directory may be by now.
    if (isCurrent && !end.stop && run.summary) {
      if (this.#parts.steering) await dropCancel(place.state);
      return { ...run.summary, out: place.location };
    }
    run.summary = summary;
    if (end.stop?.isRefusedAlike) run.refusedAlike = true;
    run.outputsAt = journal.bytes;
    try {
      await lock.check();
      if (!isCurrent) {
        await writeOutputs(directory, run);
        await place.publish();
      }
      await place.writeRun(run);
      // One that came meanwhile. Who comes later finds that the run is complete.
      if (!end.stop) await dropCancel(place.state);
      return summary;
    } catch (error) {
      if (!isDiskTrouble(error)) throw error;
      const reason = `the output files cannot be written: ${messageOf(error)} (mend it, then run the same command again)`;
      return { ...summary, state: "stopped", reason };
    }
  }

  async #work(): Promise<EngineEnd> {
    const {
      run,
      place,
      directory,
      prefix = defaultPrefix,
      log = silentLog,
      ...parts
    } = this.#parts;
    const queue = await this.#parts.queue(run);
    if (queue.isPrivate) await removeTemporary(directory);
    await using stack = new Cleanup();
    const trouble = new TroubleLog(log);
    stack.defer(() => trouble.close());
    const { location } = place;
    const storage = await place.storage();
    const access = { redis: queue.redis, prefix, place: spotOf(location, storage), trouble };
    const lane = connectLane(run, access, stack);
    this.#engine = new RunEngine({
      ...parts,
      run,
      location,
      storage,
      listImages: (folder) => place.listImages(folder),
      state: place.state,
      rowsAhead: place.rowsAhead,
      lane,
      privateRedis: queue.isPrivate,
      windowCeiling: parts.window,
      maxFailures: parts.maxFailures,
      giveUpAfterMs: parts.giveUpAfterMs ?? 15 * 60_000,
      graceMs: parts.graceMs ?? run.timeoutMs,
      log,
      onError: trouble.add,
      onOpened: async () => await this.#parts.onOpened?.(queue),
      onSettled: (lines) => {
        this.#tell();
        for (const listener of this.#listeners) listener(lines);
      },
    });
    if (this.#stop) this.#engine.stop(this.#stop);
    return await this.#engine.run();
  }
}
