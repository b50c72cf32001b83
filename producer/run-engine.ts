import type { JournalLine } from "../shared/journal-line.ts";
import { NewerVersionError } from "../shared/newer-version.ts";
import { isQueueError } from "../shared/queue-error.ts";
import { repeat } from "../shared/repeat.ts";
import { Budget } from "./budget.ts";
import { callsPerPrompt, maxWindowBytes, windowSize } from "./capacity.ts";
import { Collector } from "./collector.ts";
import type { DatasetRow } from "./dataset/build-row.ts";
import { readDataset } from "./dataset/read-dataset.ts";
import { Feeder } from "./feeder.ts";
import type { EngineEnd, EngineParts } from "./engine-parts.ts";
import { hashedAhead } from "./hashed-ahead.ts";
import { Insistence } from "./insist.ts";
import { LaneWatch } from "./lane-watch.ts";
import { QueueStay } from "./queue-stay.ts";
import { reconcile } from "./reconciler.ts";
import { RedisPatience } from "./redis-patience.ts";
import { RunLostError } from "./run-lock.ts";
import { SettlingRate } from "./settling-rate.ts";
import { FailureWatch, type StopReason } from "./stop.ts";
import { Window, type InFlight } from "./window.ts";

/** How often the producer looks at the lane's pause and workers. */
const watchMs = 500;
const reconcileMs = 5_000;
/** How often it looks at what was spent, where that is limited. */
const budgetMs = 250;
/** How long one wait for results lasts. */
const blockMs = 500;

/** One life of a producer: registers the run, feeds, collects and reconciles until everything is settled or it stops. */
export class RunEngine {
  readonly window = new Window();
  readonly #parts: EngineParts;
  readonly #collector: Collector;
  readonly #failures: FailureWatch;
  /** The lane, as the run last saw it. */
  readonly watch: LaneWatch;
  readonly #insistence: Insistence;
  readonly #patience: RedisPatience;
  readonly #budget: Budget | undefined;
  readonly #stay: QueueStay;
  readonly #done = new AbortController();
  readonly #stopping = new AbortController();
  readonly #rate = new SettlingRate();
  #stop: StopReason | undefined;
  #lost: RunLostError | undefined;
  readonly #redisLost = Promise.withResolvers<void>();
  #changed = Promise.withResolvers<void>();

  constructor(parts: EngineParts) {
    this.#parts = parts;
    const { run, lane, settled } = parts;
    this.#budget = Budget.of(parts);
    this.#failures = new FailureWatch(parts.maxFailures, settled.totals.prompts.succeeded > 0);
    this.watch = new LaneWatch({ ...parts, run: run.id, onError: this.#onError });
    this.#insistence = new Insistence({
      lane,
      window: this.window,
      watch: this.watch,
      stopping: this.#stopping.signal,
      onError: this.#onError,
      onGivenUp: (reason) => this.stop(reason),
    });
    this.#patience = new RedisPatience({
      pulse: lane.pulse,
      giveUpAfterMs: parts.giveUpAfterMs,
      isEnding: () => this.#stop !== undefined || this.#done.signal.aborted,
      onSilence: (text) => parts.log.warn({ run: run.id }, `${text}: the run waits for it`),
      onLost: (reason) => this.#loseRedis(reason),
    });
    this.#collector = new Collector({
      ...parts,
      run: run.id,
      round: run.round,
      window: this.window,
      onSettled: (lines) => this.#onSettled(lines),
    });
    this.#stay = new QueueStay({
      ...parts,
      window: this.window,
      collector: this.#collector,
      watch: this.watch,
      budget: this.#budget,
      stopping: this.#stopping.signal,
      stopReason: () => this.#stop,
      onError: this.#onError,
    });
  }

  /** Pauses the run or lets it go on: workers see it before their next call. @throws where Redis is away */
  async steer(state: "running" | "paused", reason?: string): Promise<void> {
    await this.watch.steer(state, reason);
    await this.#stay.register();
    this.#wake();
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

  /** What is wrong with Redis, for people; undefined while it answers. */
  get redisTrouble(): string | undefined {
    return this.#parts.lane.pulse.trouble;
  }

  async run(): Promise<EngineEnd> {
    this.#patience.start();
    try {
      return await this.#run();
    } finally {
      this.#patience.stop();
    }
  }

  async #run(): Promise<EngineEnd> {
    if (!(await this.#open())) return { stop: this.#stop, rows: undefined, ended: false };
    let background: Promise<void>[] = [];
    try {
      if (!this.#stop) await Promise.race([this.#parts.onOpened(), this.#redisLost.promise]);
      // Workers that were started just now are kept full from the first prompt on.
      await this.#insistence.onQueue(() => this.#look());
      background = this.#work();
      const fed = await this.#feed();
      if (fed) while (this.window.size > 0 && !this.#stop) await this.#changed.promise;
      if (fed && !this.#stop) this.#stopIf(this.#failures.seeEnd());
      this.#throwIfLost();
      if (this.#stop && !this.#patience.isLost) await this.#stay.withdraw();
      this.#throwIfLost();
      return { stop: this.#stop, rows: fed?.rows, ended: fed?.ended ?? false };
    } finally {
      this.#done.abort();
      this.#wake();
      await Promise.all(background);
      await this.#leave();
    }
  }

  /** Begins the run's stay in the queue. False where the run was stopped before Redis could be reached. */
  async #open(): Promise<boolean> {
    let isOpen = false;
    try {
      isOpen = await this.#insistence.onQueue(async () => {
        await this.#stay.begin();
        await this.#look();
      });
      return isOpen;
    } finally {
      if (!isOpen) await this.#parts.lane.close();
    }
  }

  /** What goes on beside feeding, until the run is done. */
  #work(): Promise<void>[] {
    const { signal } = this.#done;
    return [
      repeat(0, signal, () => this.#collect(), this.#onError),
      repeat(watchMs, signal, () => this.#look(), this.#onError),
      repeat(reconcileMs, signal, () => this.#reconcile(), this.#onError),
      repeat(budgetMs, signal, () => this.#lookAfterBudget(), this.#onError),
    ];
  }

  /** Feeds to the dataset's end or the limit; undefined where the run was stopped before. */
  async #feed(): Promise<{ rows: number; ended: boolean } | undefined> {
    const feeder = new Feeder({
      ...this.#parts,
      rows: this.#rows(),
      window: this.window,
      deaths: this.#stay.deaths,
      room: () => this.#room(),
      send: (prompts) => this.#send(prompts),
      writing: (write) => this.#insistence.onDisk("feeder", write),
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

  #rows(): AsyncIterable<DatasetRow> {
    const { run, hashes, rowsAhead } = this.#parts;
    const rows = readDataset(run.source);
    if (rowsAhead === 0) return rows;
    const writing = (write: () => Promise<void>) => this.#insistence.onDisk("feeder", write);
    return hashedAhead(rows, { rowsAhead, limit: run.limit, hashes, writing });
  }

  async #room(): Promise<number> {
    for (;;) {
      this.#stopping.signal.throwIfAborted();
      const size = windowSize({
        heartbeats: this.watch.heartbeats,
        runs: this.watch.runs,
        ceiling: this.#parts.windowCeiling,
        proven: this.#failures.proven,
        settledPerSecond: this.#rate.perSecond,
        callsPerPrompt: callsPerPrompt(this.#parts.run),
        mostCallsPerPrompt: this.watch.mostCallsPerPrompt,
      });
      const room = Math.min(size, this.#failures.trialLeft) - this.window.size;
      const isFull = this.window.bytes >= maxWindowBytes && this.window.size > 0;
      if (room > 0 && !isFull && !this.watch.isPaused) return room;
      await this.#changed.promise;
    }
  }

  async #send(prompts: readonly InFlight[]): Promise<void> {
    if (!(await this.#insistence.onQueue(() => this.#parts.lane.add(prompts)))) return;
    for (const prompt of prompts) prompt.addedAt = Date.now();
  }

  async #collect(): Promise<void> {
    await this.#insistence.onDisk("collector", async () => {
      await this.#collector.collect(blockMs);
    });
  }

  async #reconcile(): Promise<void> {
    const { lane, settled, run, log } = this.#parts;
    if (this.#stop) return;
    if (!(await lane.isRegistered(run.id))) await this.#stay.register();
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
    this.#stopIf(await this.watch.look());
    this.#wake();
  }

  async #lookAfterBudget(): Promise<void> {
    await this.#insistence.onDisk("budget", async () => {
      this.#stopIf(await this.#budget?.look(this.watch.heartbeats));
    });
  }

  #onSettled(lines: readonly JournalLine[]): void {
    this.#parts.onSettled(lines);
    this.#stopIf(this.#failures.see(lines));
    this.#rate.add(lines.length);
    this.#wake();
  }

  readonly #onError = (error: Error): void => {
    if (error instanceof RunLostError) {
      this.#lost = error;
      this.stop({ state: "stopped", text: error.message });
      return;
    }
    // What still waited for a Redis that was given up has nothing more to say.
    if (this.#patience.isLost && isQueueError(error)) return;
    this.#parts.onError(error);
    if (error instanceof NewerVersionError) this.stop({ state: "stopped", text: error.message });
  };

  /** Nothing waits for Redis any longer: what it still holds of the run is found when that goes on. */
  #loseRedis(reason: StopReason): void {
    this.stop(reason);
    this.#parts.lane.cutOff();
    this.#redisLost.resolve();
  }

  #wake(): void {
    this.#changed.resolve();
    this.#changed = Promise.withResolvers();
  }

  #throwIfLost(): void {
    if (this.#lost) throw this.#lost;
  }

  async #leave(): Promise<void> {
    // A lost run is another producer's now: nothing of it may be touched.
    if (!this.#lost && !this.#patience.isLost) await this.#stay.end();
    await this.#parts.lane.close();
  }
}
