import { collectDefaultMetrics, Gauge, Registry } from "prom-client";
import { isQueueError } from "../shared/queue-error.ts";
import { version } from "../shared/version.ts";
import { type MonitorContext, seeQueues } from "./context.ts";
import type { LaneSnapshot } from "./lane-view.ts";
import type { SeenLane } from "./queue-sources.ts";
import type { WaitingRetries } from "./retries.ts";

/**
 * The metrics of the monitor: what whole lanes show. Workers do not tell these, or thirty of them would add the same
 * queue up thirty times. Labels have few values: a lane, a state or a kind, never a run or a prompt.
 */
export class MonitorMetrics {
  readonly #registry = new Registry();
  readonly #context: MonitorContext;
  readonly #up = this.#gauge("redis_up", "1 while the shared Redis can be read.", []);
  readonly #jobs = this.#gauge("jobs", "Jobs in a lane's queue by BullMQ's states.", [
    "lane",
    "state",
  ]);
  readonly #retriesDue = this.#gauge(
    "retries_due",
    "Delayed jobs whose next attempt is due within ten seconds.",
  );
  readonly #retries = this.#gauge(
    "retries_waiting",
    "Jobs that failed and wait for another attempt.",
  );
  readonly #oldest = this.#gauge(
    "oldest_waiting_seconds",
    "How long the job that waits longest has been in the queue.",
  );
  readonly #stuck = this.#gauge(
    "stuck_parents",
    "Prompt jobs that wait for sub-jobs of which none is left.",
  );
  readonly #suspects = this.#gauge("suspect_jobs", "Jobs with which workers have died.");
  readonly #paused = this.#gauge(
    "lane_paused",
    "1 while no call of the lane may start, by the kind of the reason.",
    ["lane", "kind"],
  );
  readonly #hold = this.#gauge(
    "lane_hold_seconds",
    "How long the lane still waits for a rate limit.",
  );
  readonly #workers = this.#gauge("lane_workers", "Living workers that the provider accepts.");
  readonly #calls = this.#gauge(
    "lane_calls_in_flight",
    "Calls at the provider, by the heartbeats.",
  );
  readonly #slots = this.#gauge(
    "lane_concurrency",
    "Calls that the lane's workers can have in flight.",
  );
  readonly #runs = this.#gauge("lane_runs", "Runs with a living producer.", ["lane", "state"]);
  readonly #progress = this.#gauge(
    "last_progress_timestamp_seconds",
    "When a prompt of the lane's runs was last settled, in seconds since 1970.",
  );

  constructor(context: MonitorContext) {
    this.#context = context;
    this.#gauge("build_info", "1, labelled with the version.", ["version"]).set({ version }, 1);
    collectDefaultMetrics({ register: this.#registry });
    for (const what of ["handles", "requests", "resources"])
      this.#registry.removeSingleMetric(`nodejs_active_${what}_total`);
  }

  /** All metrics in Prometheus' text format. */
  async text(): Promise<string> {
    const { lanes, trouble } = await seeQueues(this.#context);
    const seen = await Promise.all(
      lanes.map(async (lane) => ({ ...lane, waiting: await this.#retriesOf(lane) })),
    );
    // From here on nothing is waited for until all values are taken: two may ask at once, and lanes are added up.
    const isCutOff = seen.some(({ source, waiting }) => source.isShared && !waiting);
    this.#up.set(trouble === undefined && !isCutOff ? 1 : 0);
    const perLane = [
      this.#jobs,
      this.#retriesDue,
      this.#retries,
      this.#oldest,
      this.#stuck,
      this.#suspects,
      this.#paused,
      this.#hold,
      this.#workers,
      this.#calls,
      this.#slots,
      this.#runs,
      this.#progress,
    ];
    // A lane that is gone must not stay as it was.
    for (const gauge of perLane) gauge.reset();
    // Lanes of one name in several private Redis are counted together.
    for (const { snapshot, waiting } of seen) if (waiting) this.#setLane(snapshot, waiting);
    return await this.#registry.metrics();
  }

  /** Undefined where Redis went away meanwhile: then the lane is left out, as it is while Redis is away. */
  async #retriesOf({ view }: SeenLane): Promise<WaitingRetries | undefined> {
    try {
      return await view.retries();
    } catch (error) {
      if (!isQueueError(error)) throw error;
      return undefined;
    }
  }

  #setLane(
    { lane, state, jobs, workers, stuck, oldestWaitingSince, produced }: LaneSnapshot,
    { retries, suspects }: WaitingRetries,
  ): void {
    const soon = Date.now() + 10_000;
    const due = retries.filter(({ dueAt }) => dueAt !== undefined && dueAt <= soon);
    this.#retries.inc({ lane }, retries.filter(({ state: at }) => at !== "active").length);
    this.#retriesDue.inc({ lane }, due.length);
    this.#suspects.inc({ lane }, suspects.length);
    for (const [name, value] of Object.entries(jobs)) this.#jobs.inc({ lane, state: name }, value);
    const oldestMs = oldestWaitingSince === undefined ? 0 : Date.now() - oldestWaitingSince;
    this.#oldest.set({ lane }, Math.max(0, oldestMs) / 1000);
    this.#stuck.inc({ lane }, stuck);
    this.#paused.set({ lane, kind: state.pause?.kind ?? "none" }, state.pause ? 1 : 0);
    this.#hold.set({ lane }, state.holdMs / 1000);
    const fit = workers.filter((worker) => worker.fit);
    this.#workers.inc({ lane }, fit.length);
    this.#calls.inc(
      { lane },
      workers.reduce((sum, { calls }) => sum + calls.length, 0),
    );
    this.#slots.inc(
      { lane },
      fit.reduce((sum, { concurrency }) => sum + concurrency, 0),
    );
    let lastMs = 0;
    for (const [run, registration] of state.runs) {
      if (produced.has(run)) this.#runs.inc({ lane, state: registration.state });
      const known = this.#context.store.find(run);
      lastMs = Math.max(lastMs, known?.lastSettledAt ?? 0);
    }
    if (lastMs > 0) this.#progress.set({ lane }, lastMs / 1000);
  }

  #gauge(name: string, help: string, labelNames: string[] = ["lane"]): Gauge {
    return new Gauge({ name: `imagemill_${name}`, help, labelNames, registers: [this.#registry] });
  }
}
