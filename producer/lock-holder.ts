import { randomUUID } from "node:crypto";
import { readFileSync } from "node:fs";
import { hostname } from "node:os";
import { setTimeout as delay } from "node:timers/promises";
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

/** How long a process may take to end after its main thread has: it frees its memory, and may still finish a write. */
const endingMs = 5_000;
const lookAgainMs = 20;

/** This process as the holder of a lock. */
export function thisProcess(epoch: number): LockHolder {
  return {
    host: hostname(),
    machine: hostIdentity(),
    pid: process.pid,
    started: readProcess(process.pid)?.started ?? null,
    epoch,
    token: randomUUID(),
  };
}

/**
 * Whether the holder is a living process; undefined where it is on another machine, whose processes cannot be seen. One that
 * was killed a moment ago is waited for. A process that nobody asked what became of it stays in the table: it is dead.
 */
export async function livesHere(holder: LockHolder): Promise<boolean | undefined> {
  if (holder.machine !== hostIdentity()) return undefined;
  try {
    process.kill(holder.pid, 0);
  } catch (error) {
    if (hasCode(error, "ESRCH")) return false;
  }
  if (holder.started === null) return true;
  const end = Date.now() + endingMs;
  for (;;) {
    const seen = readProcess(holder.pid);
    if (seen?.started !== holder.started) return false;
    if (!seen.hasEnded || Date.now() > end) return true;
    if (seen.threads <= 1) return false;
    await delay(lookAgainMs);
  }
}

/** What Linux tells of a process. */
interface SeenProcess {
  /** Its main thread has ended. */
  hasEnded: boolean;
  threads: number;
  /** Start time in clock ticks since boot. */
  started: string;
}

/** Undefined where there is none, or the system does not tell (`man 5 proc_pid_stat`). */
function readProcess(pid: number): SeenProcess | undefined {
  try {
    const line = readFileSync(`/proc/${pid}/stat`, "utf8");
    // The name of the program, in parentheses, may hold spaces: fields are counted behind it.
    const fields = line.slice(line.lastIndexOf(")") + 2).split(" ");
    const [state = "", threads, started = ""] = [fields[0], fields[17], fields[19]];
    return { hasEnded: /^[ZXx]$/.test(state), threads: Number(threads), started };
  } catch {
    return undefined;
  }
}
