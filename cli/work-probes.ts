import cluster from "node:cluster";
import { Cleanup } from "../shared/cleanup.ts";
import { messageOf } from "../shared/caught.ts";
import type { Log } from "../shared/log.ts";
import { type ListenAddress, type ProbeSources, startProbeServer } from "../shared/probes.ts";
import { limitErrors } from "../shared/limit-errors.ts";
import { connectRedis } from "../shared/redis.ts";
import type { RedisTarget } from "../shared/redis-target.ts";
import { UsageError } from "../shared/usage-error.ts";
import type { ImageWorker } from "../worker/create-worker.ts";
import type { WorkerMetrics } from "../worker/metrics.ts";
import { answerKeeper, ClusterMetrics } from "./cluster-metrics.ts";

/** Serves the probes of a worker; one of several processes gives its metrics to the process that keeps them. */
export async function serveWorkerProbes(
  address: ListenAddress | undefined,
  worker: ImageWorker,
  { registry }: WorkerMetrics,
  log: Log,
): Promise<AsyncDisposable> {
  if (cluster.isWorker) {
    answerKeeper(registry);
    return new Cleanup();
  }
  const sources = { metrics: () => registry.metrics(), pingRedis: () => worker.pingRedis() };
  try {
    return await serve(address, sources, log);
  } catch (error) {
    await worker.close(0);
    throw error;
  }
}

/** Serves the probes of several worker processes as those of one: counters and calls in flight are summed. */
export async function serveProcessesProbes(
  address: ListenAddress | undefined,
  target: RedisTarget,
  log: Log,
): Promise<AsyncDisposable> {
  const stack = new Cleanup();
  if (!address) return stack;
  const redis = connectRedis(target, { role: "producer", name: "imagemill-probes" });
  // Whether Redis is there is asked at each probe; the processes log it.
  stack.defer(limitErrors(redis, () => {}));
  stack.defer(() => redis.disconnect());
  const metrics = new ClusterMetrics(log);
  const sources = { metrics: () => metrics.text(), pingRedis: () => redis.ping() };
  stack.use(await serve(address, sources, log));
  return stack;
}

/** @throws UsageError where it cannot listen there */
async function serve(
  address: ListenAddress | undefined,
  sources: ProbeSources,
  log: Log,
): Promise<AsyncDisposable> {
  if (!address) return new Cleanup();
  try {
    const server = await startProbeServer(address, sources);
    log.info({ url: server.url }, "serving /metrics, /livez and /readyz");
    return server;
  } catch (error) {
    throw new UsageError(`cannot listen on ${address.host}:${address.port}: ${messageOf(error)}`, {
      cause: error,
    });
  }
}
