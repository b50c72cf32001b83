import { z } from "zod";

/** Time between two heartbeats. Short, since a stalled job waits for the calls that they list. */
export const heartbeatIntervalMs = 2_000;
/** How long a heartbeat counts after its worker went silent. */
export const heartbeatTtlMs = 8_000;

/**
 * What a worker tells of itself, per lane. Later versions only add to it: the calls of a newer worker must be known to
 * all, lest they are bought twice.
 */
export const Heartbeat = z.object({
  v: z.int().min(1),
  worker: z.string(),
  host: z.string(),
  /** Names the table of processes that `pid` is in (`hostIdentity`). */
  machine: z.string(),
  pid: z.int(),
  version: z.string(),
  /** Calls that it would have in flight now: `--concurrency`, or fewer where the lane's pace is slower. */
  concurrency: z.int(),
  /** False once the provider refused the worker's key. */
  fit: z.boolean(),
  /** Ids of the calls in flight: a job id, for the call or the only call of a prompt. */
  calls: z.array(z.string()),
  /** Ids of calls that wait here for leave to start. Whatever Redis knows of their jobs by then, they are made. */
  unsentCalls: z.array(z.string()).optional(),
  rssBytes: z.int(),
  /** Why the worker waits with starting calls, where it does. */
  waiting: z.string().optional(),
});
export type Heartbeat = z.infer<typeof Heartbeat>;
