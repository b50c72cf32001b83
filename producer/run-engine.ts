import { asError, isDiskTrouble } from "../shared/caught.ts";
import type { Deaths } from "../shared/deaths.ts";
import type { Heartbeat } from "../shared/heartbeat.ts";
import type { JournalLine } from "../shared/journal-line.ts";
import type { Registration } from "../shared/registration.ts";
import { isQueueError } from "../shared/queue-error.ts";
import { repeat } from "../shared/repeat.ts";
import { maxWindowBytes, windowSize } from "./capacity.ts";
import { Collector } from "./collector.ts";
import { readDataset } from "./dataset/read-dataset.ts";
import { Feeder } from "./feeder.ts";
import type { EngineEnd, EngineParts } from "./engine-parts.ts";
import { giveRoom } from "./give-room.ts";
import { insist } from "./insist.ts";
import { LaneWatch } from "./lane-watch.ts";
import { settleLeftovers } from "./leftovers.ts";
import { reconcile } from "./reconciler.ts";
import { registrationOf } from "./registration-of.ts";
import { RunLostError } from "./run-lock.ts";
import { FailureWatch, type StopReason } from "./stop.ts";
import { Window, type InFlight } from "./window.ts";
import { withdraw } from "./withdraw.ts";

/** How often the producer looks at the lane's pause and workers. */
const watchMs = 500;
const reconcileMs = 5_000;
/** How long one wait for results lasts. */
const blockMs = 500;

/** One life of a producer: registers the run, feeds, collects and reconciles until everything is settled or it stops. */
export class RunEngine {
  readonly window = new Window();
  readonly #parts: EngineParts;
  readonly #collector: Collector;
  readonly #failures: FailureWatch;
  readonly #watch: LaneWatch;
  readonly #done = new AbortController();
  readonly #stopping = new AbortController();
  #deaths: ReadonlyMap<number, Deaths> = new Map();
  #stop: StopReason | undefined;
  #lost: RunLostError | undefined;
  #changed = Promise.withResolvers<void>();

  constructor(parts: EngineParts) {
    this.#parts = parts;
    const { run, lane, journal, settled } = parts;
    this.#failures = new FailureWatch(parts.maxFailures, settled.totals.prompts.succeeded > 0);
    this.#watch = new LaneWatch(run.id, lane, parts.giveUpAfterMs);
    this.#collector = new Collector({
      run: run.id,
      round: run.round,
      lane,
      journal,
      settled,
      window: this.window,
      log: parts.log,
      onSettled: (lines) => this.#onSettled(lines),
    });
  }

  /** Living workers of the lane, as last seen. */
  get heartbeats(): readonly Heartbeat[] {
    return this.#watch.heartbeats;
  }

  /** Ends the run early: nothing more is sent, calls in flight are waited for. */
  stop(reason: StopReason): void {
    if (this.#stop) return;
    this.#stop = reason;
    this.#stopping.abort();
    this.#wake();
  }

  #stopIf(reason: StopReason | undefined): void {
    if (reason) this.stop(reason);
  }

  async run(): Promise<EngineEnd> {
    if (!(await this.#open())) return { stop: this.#stop, rows: undefined, ended: false };
    const { signal } = this.#done;
    const onError = (error: Error) => this.#onError(error);
    const background = [
      repeat(0, signal, () => this.#collect(), onError),
      repeat(watchMs, signal, () => this.#look(), onError),
      repeat(reconcileMs, signal, () => this.#reconcile(), onError),
    ];
    try {
      const fed = await this.#feed();
      if (fed) await this.#emptied();
      if (this.#lost) throw this.#lost;
      if (this.#stop) await this.#withdraw();
      return { stop: this.#stop, rows: fed?.rows, ended: fed?.ended ?? false };
    } finally {
      this.#done.abort();
      this.#wake();
      await Promise.all(background);
      await this.#leave();
    }
  }

  /**
   * Makes the run known and settles what an earlier life left in the stream, before anything is fed. False where the run
   * was stopped before Redis could be reached.
   */
  async #open(): Promise<boolean> {
    const { run, lane, settled, privateRedis, journalFile } = this.#parts;
    const isOpen = await this.#insistOnQueue(async () => {
      const { pause } = await lane.state();
      if (pause && pause.kind !== "person") await lane.unpause();
      await settleLeftovers({
        run,
        lane,
        settled,
        window: this.window,
        collector: this.#collector,
        journalFile,
      });
      // Jobs of a crashed life hold locks of a worker that is no more; the journal knows better than they.
      if (privateRedis) this.#deaths = await lane.clear(run.id);
      await this.#register("running");
      await this.#look();
    });
    if (isOpen) await this.#parts.onOpened();
    else await lane.close();
    return isOpen;
  }

  async #register(state: Registration["state"], reason?: string): Promise<void> {
    const { run, location, lane } = this.#parts;
    await lane.register(registrationOf(run, location, state, reason));
  }

  /** Feeds to the dataset's end or the limit; undefined where the run was stopped before. */
  async #feed(): Promise<{ rows: number; ended: boolean } | undefined> {
    const { run, settled, hashes, journal, journalFile, passThrough } = this.#parts;
    const feeder = new Feeder({
      run,
      rows: readDataset(run.source),
      settled,
      window: this.window,
      hashes,
      journal,
      journalFile,
      passThrough,
      deaths: this.#deaths,
      room: () => this.#room(),
      send: (prompts) => this.#send(prompts),
      writing: (write) => this.#writing(write),
      onRejected: (lines) => this.#onSettled(lines),
      stopping: this.#stopping.signal,
    });
    try {
      return await feeder.run();
    } catch (error) {
      if (error instanceof RunLostError) this.#onError(error);
      if (this.#stop) return undefined;
      throw error;
    }
  }

  async #room(): Promise<number> {
    for (;;) {
      this.#stopping.signal.throwIfAborted();
      const size = windowSize({
        heartbeats: this.#watch.heartbeats,
        runs: this.#watch.runs,
        ceiling: this.#parts.windowCeiling,
        proven: this.#failures.proven,
      });
      const room = Math.min(size, this.#failures.trialLeft) - this.window.size;
      const isFull = this.window.bytes >= maxWindowBytes && this.window.size > 0;
      if (room > 0 && !isFull && !this.#watch.isPaused) return room;
      await this.#changed.promise;
    }
  }

  async #send(prompts: readonly InFlight[]): Promise<void> {
    if (!(await this.#insistOnQueue(() => this.#parts.lane.add(prompts)))) return;
    for (const prompt of prompts) prompt.addedAt = Date.now();
  }

  /** Does something in Redis until it works (true) or the run stops. */
  async #insistOnQueue(work: () => Promise<void>): Promise<boolean> {
    const isDone = await insist(work, {
      stopping: this.#stopping.signal,
      mayPass: (error) => !(error instanceof RunLostError) && !isDiskTrouble(error),
      onFailure: async (error) => {
        this.#onError(error);
        this.#stopIf(this.#watch.queue.failed(error.message));
        if (error.message.startsWith("OOM ")) await this.#makeRoom();
      },
    });
    if (isDone) this.#watch.queue.worked();
    return isDone;
  }

  async #makeRoom(): Promise<void> {
    try {
      await giveRoom(this.#parts.lane, this.window);
    } catch (error) {
      this.#onError(asError(error));
    }
  }

  /** Writes to the run directory until it works; rejects when the run stops. */
  async #writing(write: () => Promise<void>): Promise<void> {
    const isDone = await insist(write, {
      stopping: this.#stopping.signal,
      mayPass: isDiskTrouble,
      onFailure: (error) => {
        this.#parts.onError(error);
        this.#stopIf(this.#watch.disk.failed(error.message));
      },
    });
    if (!isDone) this.#stopping.signal.throwIfAborted();
    this.#watch.disk.worked();
  }

  async #collect(): Promise<void> {
    await this.#writing(async () => {
      await this.#collector.collect(blockMs);
    });
    this.#watch.redis.worked();
  }

  async #reconcile(): Promise<void> {
    const { lane, settled, run, log } = this.#parts;
    if (this.#stop) return;
    if (!(await lane.isRegistered(run.id)))
      await this.#register(this.#watch.isPaused ? "paused" : "running");
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
    this.#stopIf(await this.#watch.look());
    this.#wake();
  }

  #onSettled(lines: readonly JournalLine[]): void {
    this.#parts.onSettled(lines);
    this.#stopIf(this.#failures.see(lines));
    this.#wake();
  }

  #onError(error: Error): void {
    if (error instanceof RunLostError) {
      this.#lost = error;
      this.stop({ state: "stopped", text: error.message });
      return;
    }
    this.#parts.onError(error);
    if (isQueueError(error)) this.#stopIf(this.#watch.redis.failed("no connection"));
  }

  #wake(): void {
    this.#changed.resolve();
    this.#changed = Promise.withResolvers();
  }

  async #emptied(): Promise<void> {
    while (this.window.size > 0 && !this.#stop) await this.#changed.promise;
  }

  async #withdraw(): Promise<void> {
    const { lane, graceMs } = this.#parts;
    try {
      const state = this.#stop?.state === "cancelled" ? "cancelled" : "paused";
      await this.#register(state, this.#stop?.text);
      await withdraw({ lane, window: this.window, collector: this.#collector, graceMs });
    } catch (error) {
      this.#onError(asError(error));
    }
  }

  async #leave(): Promise<void> {
    const { lane, run } = this.#parts;
    try {
      // A lost run is another producer's now: nothing of it may be touched.
      if (!this.#lost) {
        await this.#collector.drain();
        // What is left in Redis after a stop is settled by the next life of the run.
        if (this.window.size === 0) await lane.unregister(run.id);
      }
    } catch (error) {
      this.#onError(asError(error));
    }
    await lane.close();
  }
}
