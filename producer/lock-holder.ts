import { randomUUID } from "node:crypto";
import { readFileSync } from "node:fs";
import { hostname } from "node:os";
import { z } from "zod";
import { hasCode } from "../shared/caught.ts";
import { hostIdentity } from "../shared/host-identity.ts";

/** Who holds a run's lock. */
export const LockHolder = z.object({
  host: z.string(),
  /** Names the table of processes that `pid` is in. */
  machine: z.string(),
  pid: z.int(),
  /** The process' start time as the system counts it, to tell it from a later process of the same id. */
  started: z.string().nullable(),
  epoch: z.int(),
  token: z.string(),
});
export type LockHolder = z.infer<typeof LockHolder>;

/** A living holder elsewhere touches its lock this often. */
export const touchMs = 3_000;
/** A holder on another machine is dead after this long without a touch. */
export const foreignTimeoutMs = 15_000;

/** This process as the holder of a lock. */
export function thisProcess(epoch: number): LockHolder {
  return {
    host: hostname(),
    machine: hostIdentity(),
    pid: process.pid,
    started: startTime(process.pid),
    epoch,
    token: randomUUID(),
  };
}

/** Whether the holder is a living process; undefined where it is on another machine, whose processes cannot be seen. */
export function livesHere(holder: LockHolder): boolean | undefined {
  if (holder.machine !== hostIdentity()) return undefined;
  try {
    process.kill(holder.pid, 0);
  } catch (error) {
    if (hasCode(error, "ESRCH")) return false;
  }
  return holder.started === null || startTime(holder.pid) === holder.started;
}

/** Start time of a process in clock ticks since boot; null where the system does not tell. */
function startTime(pid: number): string | null {
  try {
    const line = readFileSync(`/proc/${pid}/stat`, "utf8");
    // The name of the program, in parentheses, may hold spaces: fields are counted behind it.
    return line.slice(line.lastIndexOf(")") + 2).split(" ")[19] ?? null;
  } catch {
    return null;
  }
}
