import type { Queue, Worker } from "bullmq";
import { BudgetLedger } from "../shared/budget-ledger.ts";
import type { ProviderError } from "../shared/failure.ts";
import { heartbeatIntervalMs } from "../shared/heartbeat.ts";
import { laneKeys, type LaneKeys } from "../shared/keys.ts";
import { lowestLimits } from "../shared/lane-limits.ts";
import { openLaneQueue } from "../shared/lane-queue.ts";
import { readLaneState } from "../shared/lane-state.ts";
import type { Log } from "../shared/log.ts";
import type { Registration } from "../shared/registration.ts";
import { closeLimitMs, endsWithin } from "../shared/within.ts";
import type { PromptResult } from "../shared/result.ts";
import { repeat } from "../shared/repeat.ts";
import type { AnswerMemory } from "./answer-memory.ts";
import { AttemptLog } from "./attempt-log.ts";
import { Continuity } from "./continuity.ts";
import { Gate } from "./gate.ts";
import { Heart } from "./heart.ts";
import { JobIntake } from "./job-intake.ts";
import type { LaneContext } from "./lane-context.ts";
import { LaneExit } from "./lane-exit.ts";
import { openLaneWorker } from "./lane-worker.ts";
import { Limiter, type Permit } from "./limiter.ts";
import type { LaneServiceOptions } from "./lane-service-options.ts";
import { livingCallsEnded } from "./living-calls.ts";
import { noObserver, type WorkerObserver } from "./observer.ts";
import { Pace } from "./pace.ts";
import { processJob } from "./process-job.ts";
import { ProviderWatch } from "./provider-watch.ts";
import { RenewableKey } from "./renewable-key.ts";
import { ResultWriter } from "./result-writer.ts";
import { RunContexts } from "./run-contexts.ts";
import type { Solitude } from "./solitude.ts";
import { StorageWatch } from "./storage-watch.ts";
import { SubJobWriter } from "./sub-job-writer.ts";

/** How often a worker looks at the lane's state: a pause takes effect within that time. */
const pollMs = 400;
const defaultPatienceMs = 15 * 60_000;
/** How long this worker waits by itself after a refusal that tells no time, until Redis says how long the lane does. */
const blindHoldMs = 1_000;
/** How often a worker that closes looks whether Redis still answers. */
const lookMs = 100;
/** How often a worker whose key was refused looks for another one. */
const keyCheckMs = 2_000;

/** Serves one lane: takes its jobs through the pipeline, and keeps its heartbeat and its view of the lane's state. */
export class LaneService implements LaneContext {
  readonly worker: string;
  readonly lane: string;
  readonly log: Log;
  readonly attemptLog: AttemptLog;
  readonly observer: WorkerObserver;
  readonly gate = new Gate();
  readonly limiter: Limiter;
  readonly memory: AnswerMemory;
  readonly solitude: Solitude;
  readonly runs: RunContexts;
  readonly provider: ProviderWatch;
  readonly patienceMs: number;
  readonly storage: StorageWatch;
  readonly key: RenewableKey;
  readonly exit: LaneExit;
  readonly subJobs: SubJobWriter;
  readonly calls = new Set<string>();
  readonly unsentCalls = new Set<string>();
  readonly unstored = new Set<object>();
  readonly continuity: Continuity;
  readonly #options: LaneServiceOptions;
  readonly #keys: LaneKeys;
  readonly #queue: Queue;
  readonly #bull: Worker;
  readonly #intake: JobIntake;
  readonly #heart: Heart;
  readonly #results: ResultWriter;
  readonly #abandon = new AbortController();
  readonly #background = new AbortController();
  #registrations: ReadonlyMap<string, Registration> = new Map();
  #isClosing = false;
  #loops: Promise<void>[] = [];
  #stopListening = () => {};

  constructor(options: LaneServiceOptions) {
    this.#options = options;
    this.worker = options.worker;
    this.lane = options.lane;
    this.observer = options.observer ?? noObserver;
    this.log = options.log;
    this.attemptLog = new AttemptLog(options.log);
    this.memory = options.memory;
    this.patienceMs = options.patienceMs ?? defaultPatienceMs;
    this.solitude = options.solitude;
    this.#keys = laneKeys(options.prefix, options.lane);
    this.key = new RenewableKey(options.profile);
    this.runs = new RunContexts({ ...options, key: this.key });
    this.#heart = new Heart(options.redis, this.#keys, options.worker);
    this.#results = new ResultWriter(options.redis, this.#keys, this.abandoned);
    this.limiter = new Limiter(
      new Pace(options.redis, this.#keys, options.worker),
      options.concurrency,
      options.onError,
    );
    this.gate.onWake = () => this.limiter.wake();
    this.limiter.heldMs = () => this.gate.knownHoldMs;
    this.continuity = new Continuity(options.redis, options.isOnlyWorker === true, () => {
      this.#tellAgain().catch((error: unknown) =>
        this.log.warn({ error }, "the lane was not told anew after an outage"),
      );
    });
    this.exit = new LaneExit({
      ...options,
      keys: this.#keys,
      key: this.key,
      gate: this.gate,
      rest: () => this.#intake.restOrGo(),
      beat: () => this.#beat(),
    });
    this.#queue = openLaneQueue(options.lane, this.#keys, options.redis);
    this.subJobs = new SubJobWriter(this.#queue);
    this.#bull = openLaneWorker(options, this.#keys, (job, token) => processJob(job, token, this));
    this.#intake = new JobIntake(
      this.#bull,
      options.concurrency,
      () => this.gate.pause === undefined && this.fit && !this.solitude.taken,
    );
    this.provider = new ProviderWatch(this.gate, this.log);
    this.storage = new StorageWatch(this.gate, this.log, this.abandoned);
  }

  get abandoned(): AbortSignal {
    return this.#abandon.signal;
  }

  get fit(): boolean {
    return !this.key.isGivenUp;
  }

  /** Learns the lane's state, beats once and starts taking jobs. Close it where it rejects. */
  async start(): Promise<void> {
    const { onError } = this.#options;
    this.#bull.on("error", onError);
    this.#bull.on("stalled", () => this.observer.jobStalled(this.lane));
    this.#queue.on("error", onError);
    this.#stopListening = this.solitude.onChange(() => void this.#intake.restOrGo().catch(onError));
    await this.#poll();
    await this.#beat();
    const stopped = this.#background.signal;
    this.#loops = [
      repeat(pollMs, stopped, () => this.#poll(), onError),
      repeat(heartbeatIntervalMs, stopped, () => this.#beat(), onError),
      repeat(keyCheckMs, stopped, () => this.#tryNewKey(), onError),
      this.#bull.run().catch(onError),
    ];
  }

  /** {@link finish}, then {@link letGo}. Takes little longer than the grace time even while Redis is away. */
  async close(graceMs?: number): Promise<number> {
    const abandonedCalls = await this.finish(graceMs);
    await this.letGo();
    return abandonedCalls;
  }

  /**
   * Stops taking jobs, hands unsent ones back and waits for the calls in flight; after `graceMs` (default: the longest
   * call timeout of the runs served) they are given up. Returns how many were. Once all images are stored, Redis is waited
   * for no longer than anything that closes.
   */
  async finish(graceMs = this.runs.longestTimeoutMs): Promise<number> {
    this.#isClosing = true;
    this.gate.close("the worker closes");
    const closing = this.#bull.close();
    if (await this.#ends(closing, graceMs)) return 0;
    const abandonedCalls = this.unstored.size;
    this.#abandon.abort(new Error("the grace time is over"));
    if (!this.#isRedisSilent) await endsWithin(closeLimitMs, closing);
    return abandonedCalls;
  }

  /** Ends what goes on beside jobs, and leaves no heartbeat behind where Redis can be reached. */
  async letGo(): Promise<void> {
    this.#background.abort();
    this.attemptLog.close();
    this.continuity.stop();
    this.#stopListening();
    await endsWithin(closeLimitMs, this.#endLoops());
  }

  async #endLoops(): Promise<void> {
    await Promise.all([...this.#loops, this.runs.close()]);
    await this.#heart.stop();
    await this.#queue.close();
  }

  get #isRedisSilent(): boolean {
    return this.#options.pulse.silentMs >= closeLimitMs;
  }

  /** Whether all jobs end within the time. Those whose images are stored can wait for a silent Redis alone: false, too. */
  async #ends(closing: Promise<void>, graceMs: number): Promise<boolean> {
    const end = Date.now() + graceMs;
    for (;;) {
      const leftMs = end - Date.now();
      if (await endsWithin(Math.min(leftMs, lookMs), closing)) return true;
      if (leftMs <= lookMs || (this.#isRedisSilent && this.unstored.size === 0)) return false;
    }
  }

  async findRegistration(run: string): Promise<Registration | undefined> {
    if (!this.#registrations.has(run)) await this.#poll();
    this.gate.refuseNewer(run);
    return this.#registrations.get(run);
  }

  async refused(permit: Permit, failure: ProviderError): Promise<void> {
    const { retryAfterMs } = failure;
    this.gate.hold(retryAfterMs ?? blindHoldMs);
    const toldAt = performance.now();
    const holdMs = await this.limiter.refused(permit, failure);
    this.gate.holdIsShared(holdMs, performance.now() - toldAt);
  }

  async #tryNewKey(): Promise<void> {
    if (this.#isClosing || !(await this.exit.returnWithNewKey())) return;
    await this.#poll();
    await this.#beat();
  }

  async livingCallsEnded(jobId: string): Promise<boolean> {
    const { calls, unsentCalls } = this;
    const sources = {
      own: () => calls.union(unsentCalls),
      worker: this.worker,
      heartbeats: () => this.#heart.living(),
      connectedAt: () => this.continuity.connectedAt,
    };
    return await livingCallsEnded(jobId, sources, this.abandoned);
  }

  async isQueueEmpty(): Promise<boolean> {
    return (await this.#queue.getWaitingCount()) === 0;
  }

  readonly budget = (run: string): BudgetLedger =>
    new BudgetLedger(this.#options.redis, this.#keys.budget(run));

  async addResult(result: PromptResult): Promise<void> {
    await this.#results.add(result);
  }

  async #poll(): Promise<void> {
    const askedAt = performance.now();
    const state = await readLaneState(this.#options.redis, this.#keys);
    this.continuity.heard();
    this.#registrations = state.runs;
    const running = [...state.runs.values()].filter((run) => run.state === "running");
    const { limits } = this.#options.profile;
    this.limiter.limits = lowestLimits([limits, ...running.map((run) => run.limits)]);
    state.holdMs = await this.limiter.refresh();
    const { knownHoldMs } = this.gate;
    // Before anybody is let in: that Redis was emptied is noticed by the next heartbeat only.
    if (state.holdMs < knownHoldMs) state.holdMs = await this.limiter.keepHold(knownHoldMs);
    this.gate.update(state, performance.now() - askedAt);
    // The lane's other runs get the places of jobs that wait for storage; what these keep in memory stays bounded.
    const waiting = Math.min(this.storage.waitingJobs, this.#options.concurrency);
    // Letting a model go must not keep pauses from being seen.
    this.runs
      .retain(state.runs)
      .catch((error: unknown) => this.log.warn({ error }, "a model could not be unloaded"));
    await this.#intake.takeFor(this.limiter.wantedCalls(), waiting);
  }

  /** Redis may have forgotten which calls are in flight here, and that the lane has to wait. */
  async #tellAgain(): Promise<void> {
    const holdMs = this.gate.keepHold();
    await this.#beat();
    if (holdMs === 0) return;
    await this.limiter.hold(holdMs, "a refusal before Redis was away");
    this.gate.holdIsShared(holdMs);
  }

  async #beat(): Promise<void> {
    const waiting = this.gate.waitingFor ?? this.limiter.waitingFor;
    const wasForgotten = await this.#heart.beat({
      fit: this.fit,
      concurrency: this.#intake.wantedCalls,
      calls: [...this.calls],
      ...(this.unsentCalls.size > 0 && { unsentCalls: [...this.unsentCalls] }),
      ...(waiting !== undefined && { waiting }),
    });
    if (wasForgotten) this.continuity.forgotten();
  }
}
