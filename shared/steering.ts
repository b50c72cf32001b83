import { readFile, rename, rm, writeFile } from "node:fs/promises";
import { hostname } from "node:os";
import { join } from "node:path";
import { z } from "zod";
import { hasCode } from "./caught.ts";
import { refuseNewer } from "./newer-version.ts";
import { stateFolder } from "./run-file.ts";

/** Version of `steering.json`. */
export const STEERING_VERSION = 1;

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

function steeringPath(directory: string): string {
  return join(directory, stateFolder, "steering.json");
}

/**
 * How the run of a directory is steered; undefined where it may run.
 * @throws NewerVersionError where a newer version wrote it
 */
export async function readSteering(directory: string): Promise<Steering | undefined> {
  const path = steeringPath(directory);
  let value: unknown;
  try {
    value = JSON.parse(await readFile(path, "utf8"));
  } catch (error) {
    if (hasCode(error, "ENOENT")) return undefined;
    throw new Error(`${path} cannot be read: remove it to let the run go on`, { cause: error });
  }
  refuseNewer(path, value, STEERING_VERSION);
  return Steering.parse(value);
}

/** Pauses, cancels or (`running`) frees the run of a directory, whether or not a producer has it open. */
export async function writeSteering(
  directory: string,
  state: Steering["state"] | "running",
  reason?: string,
): Promise<void> {
  const path = steeringPath(directory);
  if (state === "running") {
    await rm(path, { force: true });
    return;
  }
  const steering: Steering = {
    v: STEERING_VERSION,
    state,
    ...(reason !== undefined && { reason }),
    at: new Date().toISOString(),
    host: hostname(),
  };
  await writeFile(`${path}.new`, `${JSON.stringify(steering)}\n`);
  await rename(`${path}.new`, path);
}
