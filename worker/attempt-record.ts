import type { AttemptRecord } from "../shared/result.ts";
import { logFields } from "./log-fields.ts";
import type { AnyWork } from "./work.ts";

/** How an attempt ended. */
export type AttemptEnd = Pick<AttemptRecord, "outcome" | "burned" | "sent"> &
  Partial<AttemptRecord>;

/**
 * An attempt begins, whose call came to the gate at `cameAt`. The function that it gives writes down how it ended: in the
 * job's outcome, in the log and for the observer.
 */
export function beginAttempt(
  work: AnyWork,
  generations: readonly number[],
  cameAt: number,
): (end: AttemptEnd) => void {
  const { lane, outcome } = work;
  const queuedMs = queuedMsOf(work);
  const startedAt = Date.now();
  work.hasCalled = true;
  return (end) => {
    const ended: AttemptRecord = {
      generations: [...generations],
      startedAt,
      endedAt: Date.now(),
      worker: lane.worker,
      limiterMs: Math.max(0, startedAt - cameAt),
      ...(queuedMs !== undefined && { queuedMs }),
      ...end,
    };
    lane.attemptLog.ended(logFields(work), ended);
    outcome.attempts.push(ended);
    lane.observer.attemptEnded(lane.lane, ended);
  };
}

/** How long the job was in the queue, for its first attempt only: after that it waited for its turn to be tried again. */
function queuedMsOf({ job, hasCalled, outcome }: AnyWork): number | undefined {
  if (hasCalled || outcome.attempts.length > 0 || job.processedOn === undefined) return undefined;
  return Math.max(0, job.processedOn - job.timestamp);
}
