import { stackOf } from "../shared/caught.ts";
import { attemptLimits, failureActions, ProviderError } from "../shared/failure.ts";
import type { CallOutcome } from "../shared/job.ts";
import type { AttemptRecord } from "../shared/result.ts";
import { StorageError } from "../shared/storage.ts";
import { UsageError } from "../shared/usage-error.ts";
import { backoffMs } from "./backoff.ts";
import { admit, mayBeCharged, mayCost } from "./budget.ts";
import { HandBack, RetryLater } from "./job-moves.ts";
import type { Permit } from "./limiter.ts";
import { logFields } from "./log-fields.ts";
import type { GenerateOptions } from "./providers/image-generation.ts";
import { imageSeed } from "./seeds.ts";
import { costOfAnswer, storeImages } from "./store-images.ts";
import { parametersOf, type AnyWork } from "./work.ts";

/** What a call came to; its attempts go straight to the work's outcome. */
export type CallEnd = Omit<CallOutcome, "attempts">;

type Attempt = Pick<AttemptRecord, "outcome" | "burned" | "sent"> & Partial<AttemptRecord>;

/** How long to wait for evidence whether the provider is away, before an attempt counts as burned. */
const evidenceMs = 300;

/**
 * Makes one call: budget → gate → limiter → provider → check → store. Waits through rate limits and a provider that is
 * away without burning an attempt. The end may hold fewer images than asked for without a failure: then the rest is to be planned
 * again.
 * @throws RetryLater when another attempt is due
 * @throws HandBack when the job has to go back unspent
 * @throws RunCancelled
 */
export async function makeCall(work: AnyWork, generations: readonly number[]): Promise<CallEnd> {
  const { run, lane, data } = work;
  for (;;) {
    const cameAt = Date.now();
    if (lane.gate.health.away) forgive(work);
    const { permit, reservation } = await admit(work, generations.length);
    lane.calls.add(work.job.id!);
    const queuedMs = queuedMsOf(work);
    work.hasCalled = true;
    const startedAt = Date.now();
    const key = lane.key.current;
    const record = (attempt: Attempt) => {
      const ended: AttemptRecord = {
        generations: [...generations],
        startedAt,
        endedAt: Date.now(),
        worker: lane.worker,
        limiterMs: Math.max(0, startedAt - cameAt),
        ...(queuedMs !== undefined && { queuedMs }),
        ...attempt,
      };
      const fields = logFields(work);
      work.outcome.attempts.push(ended);
      logAttempt(work, fields, ended);
      lane.observer.attemptEnded(lane.lane, ended);
    };
    const memory = lane.memory.open();
    try {
      const { call, warnings } = run.model.checkCall(data.prompt, {
        ...requestOptions(work, generations),
        memory,
      });
      const answer = await run.hosts.agenerate(data.prompt, call);
      lane.limiter.answered(permit, answer.limits);
      lane.providerAnswered();
      tell(work, [...warnings, ...(answer.warnings ?? [])]);
      const answeredAt = Date.now();
      const images = await storeImages(work, generations, answer);
      await reservation.settle(costOfAnswer(work, answer));
      record({
        outcome: "ok",
        burned: true,
        sent: true,
        storingMs: Math.max(0, Date.now() - answeredAt),
        ...(answer.requestId && { requestId: answer.requestId }),
      });
      return { images, failures: [], ...(answer.usage && { usage: answer.usage }) };
    } catch (error) {
      // A refusal is told to the lane before another call can take its place.
      if (!isRefusal(error)) lane.limiter.ended(permit);
      if (lane.abandoned.aborted) {
        lane.gate.health.abandoned();
        // It was sent all the same, and is counted.
        const message = "given up by its worker, which had to end";
        record({ outcome: "timeout", burned: false, sent: true, message });
        throw new HandBack("the worker gave up its calls");
      }
      const failure = asProviderError(error);
      if (failure.kind === "timeout" && failure.sent) lane.limiter.slow(permit);
      await reservation.settle(mayBeCharged(failure) ? undefined : 0);
      const burned = await countsAsAttempt(failure, work);
      record({
        outcome: failure.kind,
        burned,
        sent: failure.sent,
        message: failure.message,
        ...mayCost(work, generations.length, failure),
        ...detailsOf(failure),
      });
      if (failure.kind === "auth" && lane.key.renew(key)) continue;
      const end = await act(failure, burned, work, generations, permit);
      if (end) return end;
    } finally {
      memory.release();
    }
  }
}

/** What is the same for every call of a run is said once. */
function tell(work: AnyWork, warnings: readonly string[]): void {
  for (const warning of warnings) {
    if (work.run.told.has(warning)) continue;
    work.run.told.add(warning);
    work.lane.log.warn(logFields(work), warning);
  }
}

/** One line an attempt: those that made their images only for who looks closely. */
function logAttempt(work: AnyWork, fields: object, ended: AttemptRecord): void {
  const { outcome, status, startedAt, endedAt, message } = ended;
  const told = {
    ...fields,
    outcome,
    ...(status !== undefined && { status }),
    ms: endedAt - startedAt,
  };
  if (outcome === "ok") work.lane.log.debug(told, "an attempt made its images");
  else work.lane.log.info(told, `an attempt failed: ${message ?? "no reason is known"}`);
}

function requestOptions(work: AnyWork, generations: readonly number[]): GenerateOptions {
  const { seed: given, ...parameters } = parametersOf(work);
  const seed = seedOf(work, given, generations);
  return {
    numGenerations: generations.length,
    parameters,
    signal: work.lane.abandoned,
    ...(seed !== undefined && { seed }),
  };
}

/** A seed that was given counts up with the generation; else a call for one image gets one of its own. */
function seedOf(
  { run, data }: AnyWork,
  given: unknown,
  generations: readonly number[],
): number | undefined {
  const first = generations[0]!;
  if (typeof given === "number") return given + first;
  const derives = run.model.takesSeed() && generations.length === 1;
  return derives ? imageSeed(run.file.seed, data.index, first) : undefined;
}

/** How long the job was in the queue, for its first attempt only: after that it waited for its turn to be tried again. */
function queuedMsOf({ job, hasCalled, outcome }: AnyWork): number | undefined {
  if (hasCalled || outcome.attempts.length > 0 || job.processedOn === undefined) return undefined;
  return Math.max(0, job.processedOn - job.timestamp);
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

/** Whether the failure uses up an attempt: not when it tells of the lane (limits, keys, a provider that is away). */
async function countsAsAttempt(failure: ProviderError, { lane, job }: AnyWork): Promise<boolean> {
  if (failure.hostAway !== undefined) return !failure.hostAway;
  if (failure.kind === "unavailable" || failure.kind === "timeout") {
    return !(await lane.providerMissed(job.id!, failure.sent, evidenceMs));
  }
  lane.providerAnswered();
  const action = failureActions[failure.kind];
  return action === "retry" || action === "fail";
}

/** The provider is away: what broke the job's last attempts without an answer was that, and no fault of the prompt's. */
function forgive({ outcome }: AnyWork): void {
  for (const attempt of outcome.attempts.toReversed()) {
    if (attempt.outcome !== "unavailable" || attempt.status !== undefined) return;
    attempt.burned = false;
  }
}

/** Does what the table of failures says. Gives the end where the call is over; undefined where it is made again. */
async function act(
  failure: ProviderError,
  burned: boolean,
  work: AnyWork,
  generations: readonly number[],
  permit: Permit,
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
      await lane.stop(new ProviderError("quota", failure.message, failure));
      break;
    case "hold":
      await lane.refused(permit, failure);
      return undefined;
    case "retry":
      return burned ? retryOrGiveUp(failure, work, generations) : undefined;
    case "fail":
      if (failure.kind === "content_policy" && failure.moderationStage === "output") {
        return retryOrGiveUp(failure, work, generations);
      }
      return givenUp(failure, generations);
    case "leave":
      await lane.leave(failure);
      break;
    case "stop":
      await lane.stop(failure);
      break;
  }
  throw new HandBack(failure.message);
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
