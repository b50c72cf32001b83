import { hostname } from "node:os";
import { z } from "zod";
import { readState } from "./read-state.ts";
import { stateFilesOf, type StateAt } from "./state-files.ts";

/** Version of `steering.json`. */
const STEERING_VERSION = 1;

/**
 * `.imagemill/steering.json`: a run is paused or cancelled, also while no producer has it open. Without the file it may
 * run. Written by who steers and, for those who cannot see the directory, by the run's producer.
 */
export const Steering = z.object({
  v: z.literal(STEERING_VERSION),
  state: z.enum(["paused", "cancelled"]),
  reason: z.string().optional(),
  at: z.string(),
  host: z.string(),
});
export type Steering = z.infer<typeof Steering>;

/** The name of the file among the run's state files. */
const fileName = "steering.json";

/**
 * How a run is steered; undefined where it may run.
 * @throws NewerVersionError where a newer version wrote it
 * @throws UsageError naming the file where it is damaged
 */
export async function readSteering(at: StateAt): Promise<Steering | undefined> {
  return await readState(at, fileName, {
    schema: Steering,
    version: STEERING_VERSION,
    damaged: (path, why) => `${path} cannot be read: remove it to let the run go on (${why})`,
  });
}

/** Pauses, cancels or (`running`) frees a run, whether or not a producer has it open. */
export async function writeSteering(
  at: StateAt,
  state: Steering["state"] | "running",
  reason?: string,
): Promise<void> {
  const files = stateFilesOf(at);
  if (state === "running") {
    await files.remove(fileName);
    return;
  }
  const steering: Steering = {
    v: STEERING_VERSION,
    state,
    ...(reason !== undefined && { reason }),
    at: new Date().toISOString(),
    host: hostname(),
  };
  await files.write(fileName, `${JSON.stringify(steering)}\n`);
}

/** Takes back a cancel that came too late: nothing was left to be cancelled, and images asked for later are no part of it. */
export async function dropCancel(at: StateAt): Promise<void> {
  if ((await readSteering(at))?.state === "cancelled") await writeSteering(at, "running");
}
