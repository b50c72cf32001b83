import { hostname } from "node:os";
import type { Registration } from "../shared/registration.ts";
import { callsPerPrompt } from "./capacity.ts";
import type { RunFile } from "../shared/run-file.ts";
import type { Steering } from "../shared/steering.ts";
import type { StopReason } from "./stop.ts";

interface StateOfRun {
  state: Registration["state"];
  reason?: string | undefined;
}

/** The state that workers know a run in: what stops it goes before how somebody steers it. */
export function stateOf(
  stop: StopReason | undefined,
  steering: Pick<Steering, "state" | "reason"> | undefined,
): StateOfRun {
  if (stop)
    return { state: stop.state === "cancelled" ? "cancelled" : "stopping", reason: stop.text };
  return steering ?? { state: "running" };
}

/** The state of a run that its producer has left while workers hold jobs of it: they drop what they meet. */
export function leftState(stop: StopReason | undefined): StateOfRun {
  return { state: stop?.state === "cancelled" ? "cancelled" : "stopped", reason: stop?.text };
}

/** Where a producer has its run: in a directory of this host, or in a bucket of a storage. */
export type RunSpot = Pick<Registration, "location" | "storage">;

/** Whether a registration is of a run elsewhere. An older version does not tell in which storage its bucket is. */
export function isElsewhere(known: RunSpot, { location, storage }: RunSpot): boolean {
  return known.location !== location || (known.storage ?? storage) !== storage;
}

/** What a producer tells workers of its run. */
export function registrationOf(
  run: RunFile,
  { location, storage }: RunSpot,
  { state, reason }: StateOfRun,
): Registration {
  const { id, round, revision, limits } = run;
  return {
    v: 1,
    run: id,
    round,
    revision,
    location,
    ...(storage !== undefined && { storage }),
    callsPerPrompt: callsPerPrompt(run),
    host: hostname(),
    state,
    ...(reason !== undefined && { reason }),
    ...(limits && { limits }),
  };
}
