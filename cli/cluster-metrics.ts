import cluster, { type Worker } from "node:cluster";
import { AggregatorRegistry, Gauge, type Registry } from "prom-client";
import { z } from "zod";
import type { Log } from "../shared/log.ts";
import { endsWithin } from "../shared/within.ts";

type Metrics = Awaited<ReturnType<Registry["getMetricsAsJSON"]>>;

const Question = z.object({ type: z.literal("imagemill:metrics-wanted") });
const Answer = z.object({
  type: z.literal("imagemill:metrics"),
  metrics: z.custom<Metrics>(Array.isArray),
});

/** A healthy event loop never blocks for as long, and Prometheus gives a scrape up after ten seconds. */
const answerLimitMs = 2_000;

/** From here on the process that keeps this one is answered when it asks for metrics. */
export function answerKeeper(registry: Registry): void {
  process.on("message", (question) => {
    if (Question.safeParse(question).success) void answer(registry);
  });
}

async function answer(registry: Registry): Promise<void> {
  const metrics = await registry.getMetricsAsJSON();
  // Who has asked may have ended meanwhile.
  if (process.connected)
    process.send?.({ type: "imagemill:metrics", metrics } satisfies z.infer<typeof Answer>);
}

/**
 * The metrics of all processes of a cluster as those of one. A process that does not answer counts with what it told last, and
 * one that has ended with its counters: a sum that fell would be taken for a restart, and all of it be counted again.
 */
export class ClusterMetrics {
  readonly #log: Log;
  readonly #told = new Map<number, Metrics>();
  #ended: Promise<Metrics> = Promise.resolve([]);
  #silent = "";

  constructor(log: Log) {
    this.#log = log;
    cluster.on("exit", ({ id }: Worker) => this.#keepCounters(id));
  }

  /** All metrics in Prometheus' text format; takes two seconds where a process does not answer. */
  async text(): Promise<string> {
    const workers = Object.values(cluster.workers ?? {}).filter((worker) => worker !== undefined);
    const answered = await Promise.all(workers.map((worker) => this.#ask(worker)));
    const silent = workers.filter((_, i) => !answered[i]);
    this.#tell(silent.filter(({ id }) => this.#told.has(id)));
    const ended = await this.#ended;
    const registry = AggregatorRegistry.aggregate([...this.#told.values(), ended]);
    const processes = new Gauge({
      name: "imagemill_worker_processes",
      help: "Processes of this worker, by whether they answered this scrape.",
      labelNames: ["answered"],
      registers: [registry],
    });
    processes.set({ answered: "yes" }, workers.length - silent.length);
    processes.set({ answered: "no" }, silent.length);
    return await registry.metrics();
  }

  /** Whether it answers in time. */
  async #ask(worker: Worker): Promise<boolean> {
    const { promise, resolve } = Promise.withResolvers<true>();
    const onMessage = (message: unknown) => {
      const told = Answer.safeParse(message);
      if (!told.success) return;
      // One that was answered for before it ended must not count twice.
      if (!worker.isDead()) this.#told.set(worker.id, told.data.metrics);
      resolve(true);
    };
    worker.on("message", onMessage);
    // Told of an error by its callback, a process that was just killed makes no `error` event.
    if (worker.isConnected())
      worker.send(
        { type: "imagemill:metrics-wanted" } satisfies z.infer<typeof Question>,
        () => {},
      );
    const isAnswered = await endsWithin(answerLimitMs, promise);
    worker.off("message", onMessage);
    return isAnswered;
  }

  #keepCounters(id: number): void {
    const counters = this.#told.get(id)?.filter(({ type }) => `${type}` !== "gauge");
    this.#told.delete(id);
    if (!counters) return;
    this.#ended = this.#ended.then((ended) =>
      AggregatorRegistry.aggregate([ended, counters]).getMetricsAsJSON(),
    );
  }

  /** One that is still starting has told nothing yet: it is not missed. */
  #tell(silent: readonly Worker[]): void {
    const pids = silent.map(({ process: { pid } }) => pid);
    if (pids.join() === this.#silent) return;
    this.#silent = pids.join();
    if (pids.length > 0)
      this.#log.warn(
        { pids },
        "worker processes do not answer: their metrics are the last they told",
      );
  }
}
