import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from "prom-client";
import type { AttemptRecord } from "../shared/result.ts";
import { version } from "../shared/version.ts";
import type { WorkerObserver } from "./observer.ts";

/** From a rate limit's answer in 50 ms to a call that ran into its timeout. */
const callSeconds = [0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 40, 60, 120, 180, 300, 600];
/** Disks answer in milliseconds, a bucket across the ocean in seconds. */
const storeSeconds = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30];

/**
 * The metrics of one worker process. Labels have few values: a lane and a kind of failure, never a run or a prompt.
 * What a whole lane shows (jobs by state, the oldest) is the monitor's to tell, or every worker would add it up again.
 */
export class WorkerMetrics implements WorkerObserver {
  readonly registry = new Registry();
  readonly #attempts = this.#counter(
    "attempts_total",
    "Calls tried, by what they came to: outcome ok or failed, and the kind of failure (none).",
    ["lane", "outcome", "kind"],
  );
  readonly #provider = this.#histogram(
    "provider_duration_seconds",
    "Time that the provider took to answer a call.",
    callSeconds,
    ["lane", "outcome"],
  );
  readonly #queueWait = this.#histogram(
    "queue_wait_seconds",
    "Time that a job waited in the queue before its first attempt.",
    callSeconds,
  );
  readonly #limiterWait = this.#histogram(
    "limiter_wait_seconds",
    "Time that a call waited for rate limits or a provider that is away.",
    callSeconds,
  );
  readonly #store = this.#histogram(
    "store_duration_seconds",
    "Time to check an answer's images and to put them into storage.",
    storeSeconds,
  );
  readonly #images = this.#counter("images_stored_total", "Images put into storage.");
  readonly #bytes = this.#counter("stored_bytes_total", "Bytes of images put into storage.");
  readonly #spend = this.#counter(
    "spend_dollars_total",
    "Estimated price of the images stored, in US dollars, where prices are known.",
  );
  readonly #stalled = this.#counter(
    "stalled_jobs_total",
    "Jobs taken from a worker that went silent, as this worker noticed.",
  );
  readonly #lastImage = new Gauge({
    name: "imagemill_last_image_timestamp_seconds",
    help: "When this worker last stored an image, in seconds since 1970; 0 before the first.",
    registers: [this.registry],
    aggregator: "max",
  });

  /** `callsInFlight` is asked at each scrape. */
  constructor(callsInFlight: () => number) {
    const { registry } = this;
    const inFlight = new Gauge({
      name: "imagemill_calls_in_flight",
      help: "Calls that are at the provider now.",
      registers: [],
      collect() {
        this.set(callsInFlight());
      },
    });
    const build = new Gauge({
      name: "imagemill_build_info",
      help: "1, labelled with the version.",
      labelNames: ["version"],
      registers: [],
      aggregator: "first",
    });
    build.set({ version }, 1);
    registry.registerMetric(inFlight);
    registry.registerMetric(build);
    collectDefaultMetrics({ register: registry });
    // Gauges whose names end as only counters' may.
    for (const what of ["handles", "requests", "resources"])
      registry.removeSingleMetric(`nodejs_active_${what}_total`);
  }

  attemptEnded(lane: string, attempt: AttemptRecord): void {
    const outcome = attempt.outcome === "ok" ? "ok" : "failed";
    const kind = attempt.outcome === "ok" ? "none" : attempt.outcome;
    this.#attempts.inc({ lane, outcome, kind });
    const { startedAt, endedAt, queuedMs, limiterMs, storingMs } = attempt;
    this.#provider.observe({ lane, outcome }, (endedAt - startedAt - (storingMs ?? 0)) / 1000);
    if (queuedMs !== undefined) this.#queueWait.observe({ lane }, queuedMs / 1000);
    if (limiterMs !== undefined) this.#limiterWait.observe({ lane }, limiterMs / 1000);
    if (storingMs !== undefined) this.#store.observe({ lane }, storingMs / 1000);
  }

  imageStored(lane: string, bytes: number, costUsd: number | undefined): void {
    this.#images.inc({ lane });
    this.#bytes.inc({ lane }, bytes);
    if (costUsd !== undefined) this.#spend.inc({ lane }, costUsd);
    this.#lastImage.setToCurrentTime();
  }

  jobStalled(lane: string): void {
    this.#stalled.inc({ lane });
  }

  #counter(name: string, help: string, labelNames: string[] = ["lane"]): Counter {
    return new Counter({
      name: `imagemill_${name}`,
      help,
      labelNames,
      registers: [this.registry],
    });
  }

  #histogram(
    name: string,
    help: string,
    buckets: number[],
    labelNames: string[] = ["lane"],
  ): Histogram {
    return new Histogram({
      name: `imagemill_${name}`,
      help,
      buckets,
      labelNames,
      registers: [this.registry],
    });
  }
}
