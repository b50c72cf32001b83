import { HandBack } from "./job-moves.ts";
import { lockMs } from "./lane-worker.ts";
import type { Permit } from "./limiter.ts";
import { guessTokens } from "./token-guess.ts";
import { plannedCall, type AnyWork } from "./work.ts";

/**
 * Whether the job may have its call made here. Where Redis was away since the job was taken, its lock may have run out and
 * another worker have it, whom nobody could tell of a call that had not started.
 */
async function isStillOurs({ job, token, lane }: Pick<AnyWork, "job" | "token" | "lane">) {
  if (!lane.continuity.hasReturnedAfter(job.processedOn ?? 0)) return true;
  return (await job.extendLock(token, lockMs)) === 1;
}

/**
 * Waits until the lane and its pace let a call for so many images start.
 * @throws HandBack, RunCancelled as the gate does; HandBack where the job is another worker's by now
 */
export async function waitToStart(work: AnyWork, images: number): Promise<Permit> {
  const { lane, data, job, token } = work;
  const { gate, limiter } = lane;
  const guess = guessTokens(work.run.card, plannedCall(work, images));
  for (;;) {
    await gate.enter(data.run);
    let permit: Permit | undefined;
    try {
      permit = await limiter.enter(images, () => gate.mayStart(data.run), guess);
    } finally {
      // Where the call would have been a probe, it probes nothing.
      if (!permit) gate.health.abandoned();
    }
    if (!permit) continue;
    let isOurs = false;
    try {
      isOurs = await isStillOurs({ job, token, lane });
    } finally {
      if (!isOurs) {
        limiter.ended(permit);
        gate.health.abandoned();
      }
    }
    if (isOurs) return permit;
    throw new HandBack("Redis was away, and the job's lock is lost");
  }
}
