import { stackOf } from "../shared/caught.ts";
import { failureActions, ProviderError } from "../shared/failure.ts";
import { StorageError } from "../shared/storage.ts";
import { UsageError } from "../shared/usage-error.ts";
import { actOnFailure, type CallEnd } from "./act-on-failure.ts";
import type { AnswerShare } from "./answer-memory.ts";
import { beginAttempt, type AttemptEnd } from "./attempt-record.ts";
import { admit, mayBeCharged, mayCost, type Admission } from "./budget.ts";
import { callOptions } from "./call-options.ts";
import { HandBack } from "./job-moves.ts";
import { logFields } from "./log-fields.ts";
import { costOfAnswer, storeImages } from "./store-images.ts";
import type { AnyWork } from "./work.ts";

/** One try at a call, let in and paid for. */
interface Attempt extends Admission {
  generations: readonly number[];
  /** The key that it is sent with. */
  key: string | undefined;
  memory: AnswerShare;
  record: (end: AttemptEnd) => void;
}

/** A connection that breaks so long before a provider is found away broke of that. */
const justBeforeMs = 10_000;

/**
 * Makes one call: budget → gate → limiter → provider → check → store. Waits through rate limits and a provider that is
 * away without burning an attempt. The end may hold fewer images than asked for without a failure: then the rest is to be
 * planned again.
 * @throws RetryLater when another attempt is due
 * @throws HandBack when the job has to go back unspent
 * @throws RunCancelled
 */
export async function makeCall(work: AnyWork, generations: readonly number[]): Promise<CallEnd> {
  for (;;) {
    const end = await tryCall(work, generations);
    if (end) return end;
  }
}

/** One attempt; undefined where the same call is to be made again at once. */
async function tryCall(
  work: AnyWork,
  generations: readonly number[],
): Promise<CallEnd | undefined> {
  const { lane } = work;
  const cameAt = Date.now();
  forgive(work);
  const admission = await admitListed(work, generations.length);
  const record = beginAttempt(work, generations, cameAt);
  const memory = lane.memory.open();
  const attempt = { ...admission, generations, key: lane.key.current, memory, record };
  try {
    return await send(work, attempt);
  } catch (error) {
    // A refusal is told to the lane before another call can take its place.
    if (!isRefusal(error)) lane.limiter.ended(attempt.permit);
    if (lane.abandoned.aborted) throw abandon(work, attempt);
    return await fail(work, attempt, asProviderError(error));
  } finally {
    memory.release();
  }
}

/** Waits for leave to start, and is on one of the worker's lists of calls all the time. */
async function admitListed(work: AnyWork, images: number): Promise<Admission> {
  const { lane, job } = work;
  lane.unsentCalls.add(job.id!);
  // One that is made again is in flight no more meanwhile: nobody is told that it may be charged.
  if (work.hasCalled) lane.calls.delete(job.id!);
  try {
    const admission = await admit(work, images);
    lane.calls.add(job.id!);
    return admission;
  } finally {
    lane.unsentCalls.delete(job.id!);
  }
}

/** The provider is asked, its images are stored, and what they cost is settled. */
async function send(work: AnyWork, attempt: Attempt): Promise<CallEnd> {
  const { lane } = work;
  lane.unstored.add(attempt);
  const { answer, answeredAt, images } = await buy(work, attempt).finally(() =>
    lane.unstored.delete(attempt),
  );
  await attempt.reservation.settle(costOfAnswer(work, answer));
  attempt.record({
    outcome: "ok",
    burned: true,
    sent: true,
    storingMs: Math.max(0, Date.now() - answeredAt),
    ...(answer.requestId && { requestId: answer.requestId }),
  });
  return { images, failures: [], ...(answer.usage && { usage: answer.usage }) };
}

/** The provider is asked, and its images are stored: nothing in it waits for Redis. */
async function buy(work: AnyWork, { generations, permit, memory }: Attempt) {
  const { run, lane, data } = work;
  const options = { ...callOptions(work, generations), memory };
  const { call, warnings } = run.model.checkCall(data.prompt, options);
  const answer = await run.hosts.agenerate(data.prompt, call);
  lane.limiter.answered(permit, answer);
  lane.provider.answered();
  tell(work, [...warnings, ...(answer.warnings ?? [])]);
  const answeredAt = Date.now();
  return { answer, answeredAt, images: await storeImages(work, generations, answer) };
}

/** The worker has to end before the call does. It was sent all the same, and is counted. */
function abandon({ lane }: AnyWork, { record }: Attempt): HandBack {
  lane.gate.health.abandoned();
  const message = "given up by its worker, which had to end";
  record({ outcome: "timeout", burned: false, sent: true, message });
  return new HandBack("the worker gave up its calls");
}

/** The call went wrong: that is written down, and what the table of failures says is done. */
async function fail(
  work: AnyWork,
  attempt: Attempt,
  failure: ProviderError,
): Promise<CallEnd | undefined> {
  const { generations, permit, reservation, key, record } = attempt;
  const { lane, job } = work;
  if (failure.kind === "timeout" && failure.sent) lane.limiter.slow(permit);
  await reservation.settle(mayBeCharged(failure) ? undefined : 0);
  const burned = await lane.provider.failed(failure, job.id!, work.outcome.attempts);
  record({
    outcome: failure.kind,
    burned,
    sent: failure.sent,
    message: failure.message,
    ...mayCost(work, generations.length, failure),
    ...detailsOf(failure),
  });
  if (failure.kind === "auth" && lane.key.renew(key)) return undefined;
  return await actOnFailure(work, attempt, failure, burned);
}

/** What is the same for every call of a run is said once. */
function tell(work: AnyWork, warnings: readonly string[]): void {
  for (const warning of warnings) {
    if (work.run.told.has(warning)) continue;
    work.run.told.add(warning);
    work.lane.log.warn(logFields(work), warning);
  }
}

function isRefusal(error: unknown): boolean {
  return error instanceof ProviderError && failureActions[error.kind] === "hold";
}

function asProviderError(error: unknown): ProviderError {
  if (error instanceof ProviderError) return error;
  if (error instanceof StorageError)
    return new ProviderError("storage", error.message, { cause: error });
  if (error instanceof UsageError)
    return new ProviderError("invalid_request", error.message, { sent: false, cause: error });
  return new ProviderError("internal", stackOf(error), { cause: error });
}

function detailsOf({ status, requestId, retryAfterMs }: ProviderError) {
  return {
    ...(status !== undefined && { status }),
    ...(requestId !== undefined && { requestId }),
    ...(retryAfterMs !== undefined && { retryAfterMs }),
  };
}

/**
 * What broke the job's attempts without an answer just before the provider was found away was that, and no fault of the
 * prompt's.
 */
function forgive({ outcome, lane }: AnyWork): void {
  const { foundAwayAt } = lane.gate.health;
  for (const attempt of outcome.attempts) {
    if (attempt.outcome !== "unavailable" || attempt.status !== undefined) continue;
    const beforeMs = foundAwayAt - attempt.endedAt;
    if (beforeMs >= 0 && beforeMs <= justBeforeMs) attempt.burned = false;
  }
}
