import { z } from "zod";
import { LaneLimits } from "./lane-limits.ts";

/** Version of registrations; a worker hands back the jobs of runs whose registration is newer. */
export const REGISTRATION_VERSION = 1;

/** A run as its lane knows it: written by the producer, read by workers and the monitor. */
export const Registration = z.object({
  v: z.literal(REGISTRATION_VERSION),
  run: z.string(),
  round: z.int().min(0),
  /** That of `run.json`: a worker that knows another one reads the file again. */
  revision: z.int().min(0),
  /** Where the run directory is: an absolute path or `s3://bucket/prefix`. */
  location: z.string(),
  /** In which storage the bucket is, by a hash of its address. */
  storage: z.string().optional(),
  /** Calls that one of its prompts takes: runs that share a lane have as many calls in the queue each. */
  callsPerPrompt: z.int().min(1).optional(),
  /** The producer's host, for messages. */
  host: z.string(),
  /**
   * `paused`: workers keep its jobs and start no call. `stopping`: the same, while its producer takes them out.
   * `stopped`: its producer has left, workers drop what they meet. `cancelled`: the same, for good.
   */
  state: z.enum(["running", "paused", "stopping", "stopped", "cancelled"]),
  reason: z.string().optional(),
  /** Limits that the run was given. They hold for the whole lane: of several runs' the lower ones. */
  limits: LaneLimits.optional(),
});
export type Registration = z.infer<typeof Registration>;
