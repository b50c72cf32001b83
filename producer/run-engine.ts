import { hostname } from "node:os";
import type { FileHandle } from "node:fs/promises";
import type { Heartbeat } from "../shared/heartbeat.ts";
import type { JournalLine } from "../shared/journal-line.ts";
import type { Log } from "../shared/log.ts";
import { repeat } from "../shared/repeat.ts";
import type { RunFile } from "../shared/run-file.ts";
import { PromptResult } from "../shared/result.ts";
import { maxWindowBytes, windowSize } from "./capacity.ts";
import { Collector } from "./collector.ts";
import { readDataset, type DatasetRow } from "./dataset/read-dataset.ts";
import { Feeder } from "./feeder.ts";
import type { Journal } from "./journal.ts";
import type { LaneClient } from "./lane-client.ts";
import { promptOf } from "./prompt-rows.ts";
import { reconcile } from "./reconciler.ts";
import type { RowHashes } from "./row-hashes.ts";
import type { Settled } from "./settled.ts";
import { FailureWatch, stopOfPause, type StopReason } from "./stop.ts";
import { Window, type InFlight } from "./window.ts";

/** How often the producer looks at the lane's pause and workers. */
const watchMs = 500;
const reconcileMs = 5_000;
/** How long one wait for results lasts. */
const blockMs = 500;
const retryMs = 500;

/** What an engine runs on. */
export interface EngineParts {
  run: RunFile;
  location: string;
  lane: LaneClient;
  /** No other producer and no other worker uses this Redis. */
  privateRedis: boolean;
  journal: Journal;
  journalFile: FileHandle;
  settled: Settled;
  hashes: RowHashes;
  passThrough: boolean;
  windowCeiling: number | undefined;
  maxFailures: number | undefined;
  giveUpAfterMs: number;
  /** How long calls in flight may go on once the run stops. */
  graceMs: number;
  log: Log;
  /** Called once the run is registered, before anything is fed: the moment for workers of one's own. */
  onOpened(): Promise<void>;
  onSettled(lines: readonly JournalLine[]): void;
}

/** What an engine's run ended with. */
export interface EngineEnd {
  stop: StopReason | undefined;
  /** Rows of the run, where the dataset's end (`ended`) or its limit was reached. */
  rows: number | undefined;
  ended: boolean;
}

/** One life of a producer: registers the run, feeds, collects and reconciles until everything is settled or it stops. */
export class RunEngine {
  readonly window = new Window();
  readonly #parts: EngineParts;
  readonly #collector: Collector;
  readonly #watch: FailureWatch;
  readonly #done = new AbortController();
  readonly #stopped = Promise.withResolvers<StopReason>();
  #stop: StopReason | undefined;
  #heartbeats: readonly Heartbeat[] = [];
  #runs = 1;
  #changed = Promise.withResolvers<void>();
  #answeredAt = Date.now();
  #blockedSince: number | undefined;

  constructor(parts: EngineParts) {
    this.#parts = parts;
    const { run, lane, journal, settled } = parts;
    this.#watch = new FailureWatch(parts.maxFailures, settled.totals.prompts.succeeded > 0);
    this.#collector = new Collector({
      run: run.id,
      round: run.round,
      lane,
      journal,
      settled,
      window: this.window,
      onSettled: (lines) => this.#onSettled(lines),
    });
  }

  /** Living workers of the lane, as last seen. */
  get heartbeats(): readonly Heartbeat[] {
    return this.#heartbeats;
  }

  /** Ends the run early: nothing more is sent, calls in flight are waited for. */
  stop(reason: StopReason): void {
    if (this.#stop) return;
    this.#stop = reason;
    this.#stopped.resolve(reason);
    this.#wake();
  }

  async run(): Promise<EngineEnd> {
    await this.#open();
    await this.#parts.onOpened();
    const { signal } = this.#done;
    const onError = (error: Error) => this.#onError(error);
    const background = [
      repeat(0, signal, () => this.#collect(), onError),
      repeat(watchMs, signal, () => this.#look(), onError),
      repeat(reconcileMs, signal, () => this.#reconcile(), onError),
    ];
    try {
      const feeding = this.#feed();
      const fed = await Promise.race([feeding, this.#stopped.promise.then(() => undefined)]);
      if (fed) await this.#emptied();
      else feeding.catch(() => undefined);
      if (this.#stop) await this.#withdraw();
      return { stop: this.#stop, rows: fed?.rows, ended: fed?.ended ?? false };
    } finally {
      this.#done.abort();
      this.#wake();
      await Promise.all(background);
      await this.#leave();
    }
  }

  /** Makes the run known and settles what an earlier life left in the stream, before anything is fed. */
  async #open(): Promise<void> {
    const { lane, privateRedis } = this.#parts;
    await this.#insist(async () => {
      const { pause } = await lane.state();
      if (pause && pause.kind !== "person") await lane.unpause();
      await this.#settleLeftovers();
      // Jobs of a crashed life hold locks of a worker that is no more; the journal knows better than they.
      if (privateRedis) await lane.clear();
      await this.#register("running");
      await this.#look();
    });
  }

  async #register(state: "running" | "paused", reason?: string): Promise<void> {
    const { run, location, lane } = this.#parts;
    const { id, round } = run;
    await lane.register({
      v: 1,
      run: id,
      round,
      location,
      host: hostname(),
      state,
      ...(reason !== undefined && { reason }),
    });
  }

  /** Results in the stream belong to rows that this life has not read: they are looked up in the dataset. */
  async #settleLeftovers(): Promise<void> {
    const { run, lane, settled } = this.#parts;
    const wanted = new Set<number>();
    for (let after = "0"; ;) {
      const entries = await lane.results(after);
      for (const { text } of entries) {
        const { index, round } = PromptResult.parse(JSON.parse(text));
        if (round === run.round && !settled.has(index)) wanted.add(index);
      }
      if (entries.length === 0) break;
      after = entries.at(-1)!.id;
    }
    const last = Math.max(-1, ...wanted);
    if (last >= 0) {
      for await (const row of readDataset(run.source)) {
        if (row.ok && wanted.has(row.index))
          this.window.add(promptOf(row, run, { mayExist: true }));
        if (row.index >= last) break;
      }
    }
    await this.#collector.drain();
    for (const index of wanted) this.window.delete(index);
  }

  #feed(): Promise<{ rows: number; ended: boolean }> {
    const { run, settled, hashes, journal, journalFile, passThrough } = this.#parts;
    const feeder = new Feeder({
      run,
      rows: readDataset(run.source) as AsyncIterable<DatasetRow>,
      settled,
      window: this.window,
      hashes,
      journal,
      journalFile,
      passThrough,
      room: () => this.#room(),
      send: (prompts) => this.#send(prompts),
      onRejected: (lines) => this.#onSettled(lines),
    });
    return feeder.run();
  }

  async #room(): Promise<number> {
    for (;;) {
      if (this.#stop) throw new Error("the run stops");
      const size = windowSize({
        heartbeats: this.#heartbeats,
        runs: this.#runs,
        ceiling: this.#parts.windowCeiling,
        proven: this.#watch.proven,
      });
      const room = size - this.window.size;
      if (room > 0 && (this.window.bytes < maxWindowBytes || this.window.size === 0)) return room;
      await this.#changed.promise;
    }
  }

  async #send(prompts: readonly InFlight[]): Promise<void> {
    await this.#insist(async () => {
      await this.#parts.lane.add(prompts);
    });
    for (const prompt of prompts) prompt.addedAt = Date.now();
  }

  /** Does something in Redis until it works or the run stops: a queue that is away or full burns nothing. */
  async #insist(work: () => Promise<void>): Promise<void> {
    for (;;) {
      try {
        await work();
        this.#answeredAt = Date.now();
        return;
      } catch (error) {
        if (this.#stop) throw error;
        this.#onError(error as Error);
        if (/^OOM /.test((error as Error).message)) await this.#giveRoom();
        await new Promise((resolve) => setTimeout(resolve, retryMs));
      }
    }
  }

  /** Redis is full: takes waiting jobs of this run out of it; reconciling brings them back. */
  async #giveRoom(): Promise<void> {
    const sent = [...this.window.values()].filter(({ addedAt }) => addedAt > 0);
    for (const prompt of sent.slice(Math.ceil(sent.length / 2)))
      await this.#parts.lane.remove(prompt);
  }

  async #collect(): Promise<void> {
    await this.#collector.collect(blockMs);
    this.#answeredAt = Date.now();
  }

  async #reconcile(): Promise<void> {
    const { lane, settled, run, log } = this.#parts;
    if (this.#stop) return;
    if (!(await lane.isRegistered(run.id))) await this.#register("running");
    const again = await reconcile({
      lane,
      window: this.window,
      settled,
      collector: this.#collector,
      send: (prompts) => this.#send(prompts),
    });
    if (again > 0)
      log.warn({ run: run.id, prompts: again }, "Redis had lost jobs, they were added again");
  }

  /** Looks at the lane: its pause may end the run, its workers set the window. */
  async #look(): Promise<void> {
    const { lane } = this.#parts;
    const state = await lane.state();
    this.#heartbeats = await lane.heartbeats();
    this.#answeredAt = Date.now();
    this.#runs = [...state.runs.values()].filter((run) => run.state === "running").length;
    const stop = stopOfPause(state) ?? this.#blocked();
    if (stop) this.stop(stop);
    this.#wake();
  }

  /** Whether no worker can store images for too long. */
  #blocked(): StopReason | undefined {
    const fit = this.#heartbeats.filter((beat) => beat.fit);
    const waiting = fit.filter((beat) => beat.waiting?.startsWith("storage:"));
    if (fit.length === 0 || waiting.length < fit.length) this.#blockedSince = undefined;
    else this.#blockedSince ??= Date.now();
    if (
      this.#blockedSince === undefined ||
      Date.now() - this.#blockedSince < this.#parts.giveUpAfterMs
    )
      return undefined;
    return {
      state: "stopped",
      text: `${waiting[0]!.waiting} (mend it, then run the same command again)`,
    };
  }

  #onSettled(lines: readonly JournalLine[]): void {
    this.#parts.onSettled(lines);
    const stop = this.#watch.see(lines);
    if (stop) this.stop(stop);
    this.#wake();
  }

  #onError(error: Error): void {
    const { log, giveUpAfterMs } = this.#parts;
    log.warn({ error: error.message }, "Redis does not answer as it should");
    if (Date.now() - this.#answeredAt < giveUpAfterMs) return;
    this.stop({
      state: "stopped",
      text: `queue: ${error.message} (bring Redis back, then run the same command again)`,
    });
  }

  #wake(): void {
    this.#changed.resolve();
    this.#changed = Promise.withResolvers();
  }

  async #emptied(): Promise<void> {
    while (this.window.size > 0 && !this.#stop) await this.#changed.promise;
  }

  /** Takes the run out of the queue: unsent jobs at once, then waits for what is in work. */
  async #withdraw(): Promise<void> {
    const { lane, graceMs } = this.#parts;
    const end = Date.now() + graceMs;
    try {
      await this.#register("paused", this.#stop?.text);
      while (this.window.size > 0 && Date.now() < end) {
        const removed: number[] = [];
        for (const prompt of this.window.values()) {
          if (prompt.addedAt === 0 || (await lane.remove(prompt))) removed.push(prompt.job.index);
        }
        // One that was gone already may have left its result.
        await this.#collector.drain();
        for (const index of removed) this.window.delete(index);
        if (this.window.size > 0) await this.#collector.collect(blockMs);
      }
    } catch (error) {
      this.#onError(error as Error);
    }
  }

  async #leave(): Promise<void> {
    const { lane, run } = this.#parts;
    try {
      await this.#collector.drain();
      // What is left in Redis after a stop is settled by the next life of the run.
      if (this.window.size === 0) await lane.unregister(run.id);
    } catch (error) {
      this.#onError(error as Error);
    }
    await lane.close();
  }
}
