import { setTimeout as delay } from "node:timers/promises";
import { hasCode } from "../shared/caught.ts";
import { heartbeatIntervalMs, type Heartbeat } from "../shared/heartbeat.ts";
import { hostIdentity } from "../shared/host-identity.ts";

/** How often a waiting job looks whether the call of the living worker has ended. */
const lookAgainMs = 500;

/** Whether a call list names the job or one of its sub-jobs. */
export function names(calls: Iterable<string>, jobId: string): boolean {
  for (const call of calls) if (call === jobId || call.startsWith(`${jobId}-`)) return true;
  return false;
}

function callsOf({ calls, unsentCalls = [] }: Heartbeat): string[] {
  return [...calls, ...unsentCalls];
}

/** False for a worker of this machine whose process is gone, though its last heartbeat still counts. */
function isAlive({ machine, pid }: Heartbeat): boolean {
  if (machine !== hostIdentity()) return true;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return !hasCode(error, "ESRCH");
  }
}

/** What {@link livingCallsEnded} looks at. */
export interface CallSources {
  /** Calls in flight in this worker, and those that are to start. */
  own(): ReadonlySet<string>;
  worker: string;
  heartbeats(): Promise<Heartbeat[]>;
  /** When the connection to Redis last came back, in milliseconds by `Date.now`. */
  connectedAt(): number;
}

/**
 * Resolves when no living worker has a call of the job in flight, or one that waits to start: it starts even if Redis has
 * forgotten its job meanwhile. After an outage everyone's heartbeats are missing at first, and so they are in a Redis that was
 * emptied: nobody is believed dead before all had the time to beat. True where a living worker had one.
 */
export async function livingCallsEnded(
  jobId: string,
  sources: CallSources,
  signal: AbortSignal,
): Promise<boolean> {
  for (let hadOne = false; ;) {
    const settleMs = sources.connectedAt() + 1.5 * heartbeatIntervalMs - Date.now();
    if (settleMs > 0 && !names(sources.own(), jobId)) {
      await delay(settleMs, undefined, { signal });
      continue;
    }
    const beats = await sources.heartbeats();
    const others = beats.filter(({ worker }) => worker !== sources.worker);
    const elsewhere = others.some(
      (heartbeat) => names(callsOf(heartbeat), jobId) && isAlive(heartbeat),
    );
    const here = names(sources.own(), jobId);
    // Where Redis does not know this worker either, it was emptied: the others have yet to beat again.
    const isEmptied = beats.length === others.length;
    if (!elsewhere && !here && !isEmptied) return hadOne;
    hadOne ||= elsewhere || here;
    await delay(lookAgainMs, undefined, { signal });
  }
}
