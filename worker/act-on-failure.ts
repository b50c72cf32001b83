import { attemptLimits, failureActions, ProviderError } from "../shared/failure.ts";
import type { CallOutcome } from "../shared/job.ts";
import { backoffMs } from "./backoff.ts";
import { isHopeless } from "./blame.ts";
import { HandBack, RetryLater } from "./job-moves.ts";
import type { Permit } from "./limiter.ts";
import type { AnyWork } from "./work.ts";

/** How long a job makes room for others where it is not known when the next probe is due. */
const leaveMs = 1_000;

/** What a call came to; its attempts go straight to the work's outcome. */
export type CallEnd = Omit<CallOutcome, "attempts">;

/**
 * Does what the table of failures says; `burned`: an attempt was used up. Gives the end where the call is over; undefined
 * where it is made again.
 * @throws RetryLater when another attempt is due
 * @throws HandBack when the job has to go back unspent
 */
export async function actOnFailure(
  work: AnyWork,
  { generations, permit }: { generations: readonly number[]; permit: Permit },
  failure: ProviderError,
  burned: boolean,
): Promise<CallEnd | undefined> {
  const { lane } = work;
  switch (failureActions[failure.kind]) {
    case "split":
      if (generations.length > 1) {
        const most = generations.length - 1;
        const half = Math.floor(generations.length / 2);
        await lane.limiter.tooMany(Math.max(1, Math.min(most, failure.imagesLimit ?? half)));
        return { images: [], failures: [] };
      }
      // Not even one image fits into the limit: nothing can be made until a person raises it.
      await lane.exit.stop(new ProviderError("quota", failure.message, failure));
      break;
    case "hold":
      // Where another host takes the call, the lane has nothing to wait for.
      if (failure.hostAway) await lane.limiter.turnedAway(permit);
      else await lane.refused(permit, failure);
      return undefined;
    case "retry":
      return burned
        ? retryOrGiveUp(failure, work, generations)
        : await leaveProbing(failure, work, generations);
    case "fail":
      if (failure.kind === "content_policy" && failure.moderationStage === "output") {
        return retryOrGiveUp(failure, work, generations);
      }
      return givenUp(failure, generations);
    case "leave":
      await lane.exit.leave(failure);
      break;
    case "stop":
      await lane.exit.stop(failure);
      break;
  }
  throw new HandBack(failure.message);
}

/**
 * The provider is away: the job makes room for another, since the next probe should not be of the same prompt. Gives the end
 * where it is given up; undefined where another host takes the call.
 * @throws HandBack
 */
async function leaveProbing(
  failure: ProviderError,
  { lane, run, outcome }: AnyWork,
  generations: readonly number[],
): Promise<CallEnd | undefined> {
  if (failure.hostAway) return undefined;
  const { health } = lane.gate;
  const { patienceMs } = lane;
  const { attempts } = run.file;
  if (health.isInVain) {
    const what = "no call has been answered so far, and each may be charged";
    await lane.exit.stop(new ProviderError("timeout", `${failure.message}: ${what}`, failure));
  } else if (isHopeless(outcome.attempts, { attempts, since: health.foundAwayAt, patienceMs })) {
    if (await lane.isQueueEmpty()) return givenUp(failure, generations);
  }
  const { waitMs } = health;
  throw new HandBack(failure.message, Number.isFinite(waitMs) ? Math.max(1, waitMs) : leaveMs);
}

function retryOrGiveUp(
  failure: ProviderError,
  { run, outcome }: AnyWork,
  generations: readonly number[],
): CallEnd {
  const burned = outcome.attempts.filter(
    (attempt) => attempt.burned && attempt.generations[0] === generations[0],
  );
  const alike = burned.filter((attempt) => attempt.outcome === failure.kind);
  const limit = attemptLimits[failure.kind] ?? run.file.attempts;
  if (burned.length >= run.file.attempts || alike.length >= limit)
    return givenUp(failure, generations);
  throw new RetryLater(
    failure.message,
    Math.max(failure.retryAfterMs ?? 0, backoffMs(burned.length)),
  );
}

function givenUp(failure: ProviderError, generations: readonly number[]): CallEnd {
  const { kind, message, status, requestId } = failure;
  const lost = {
    generations: [...generations],
    kind,
    message,
    ...(status !== undefined && { status }),
    ...(requestId !== undefined && { requestId }),
  };
  return { images: [], failures: [lost] };
}
