import { Worker, type Job, type Telemetry } from "bullmq";
import type { LaneKeys } from "../shared/keys.ts";
import type { Log } from "../shared/log.ts";
import type { RedisClient } from "../shared/redis.ts";
import { isQueueError } from "../shared/queue-error.ts";
import { RetryLater } from "./job-moves.ts";

/** A job is given to another worker after this silence: longer than any healthy pause of the event loop. */
export const lockMs = 8_000;
/** How often workers look for such jobs. */
const stalledCheckMs = 2_000;

/** What a lane's BullMQ worker is made of. */
export interface LaneWorkerOptions {
  worker: string;
  lane: string;
  concurrency: number;
  redis: RedisClient;
  /** Where BullMQ tells of its jobs, such as `bullmq-otel`. Default: nowhere. */
  telemetry?: Telemetry | undefined;
  log: Log;
}

/** The BullMQ worker of a lane, not yet running. */
export function openLaneWorker(
  { worker, lane, concurrency, redis, telemetry, log }: LaneWorkerOptions,
  keys: LaneKeys,
  process: (job: Job, token: string) => Promise<unknown>,
): Worker {
  const bull = new Worker(lane, (job, token) => process(job, token!), {
    connection: redis,
    prefix: keys.queuePrefix,
    autorun: false,
    name: worker,
    concurrency,
    ...(telemetry && { telemetry }),
    lockDuration: lockMs,
    stalledInterval: stalledCheckMs,
    // A job that stalls has not failed: its worker died, or Redis was away. BullMQ would give it up after one.
    maxStalledCount: 1_000_000,
    runRetryDelay: 1_000,
    settings: {
      backoffStrategy: (_made, _type, error) =>
        error instanceof RetryLater ? error.delayMs : 1_000,
    },
  });
  // A job whose attempt failed is tried again; one that could not even be begun needs somebody to look.
  bull.on("failed", (job, error) => {
    if (error instanceof RetryLater) log.debug({ job: job?.id }, `tried again: ${error.message}`);
    else if (isQueueError(error)) bull.emit("error", error);
    else log.warn({ job: job?.id, error }, "a job could not be worked on, it is tried again");
  });
  return bull;
}
