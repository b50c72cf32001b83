import { DelayedError, WaitingChildrenError, WaitingError, type Job } from "bullmq";
import type { z } from "zod";
import { stackOf } from "../shared/caught.ts";
import { failureActions, ProviderError, type FailureKind } from "../shared/failure.ts";
import {
  CallJob,
  jobNames,
  JobVersion,
  JOB_VERSION,
  PromptJob,
  type CallOutcome,
} from "../shared/job.ts";
import type { Registration } from "../shared/registration.ts";
import { runCallJob } from "./call-job.ts";
import { Crashed, HandBack, NewerWork, NotHere, RetryLater, RunCancelled } from "./job-moves.ts";
import type { LaneContext } from "./lane-context.ts";
import { addOutcome, missingOf, startOutcome } from "./outcome.ts";
import { generationsOf, resultOf, runPromptJob } from "./prompt-job.ts";
import { isQueueError } from "../shared/queue-error.ts";
import { findStored } from "./store-images.ts";
import { acquit, enter, type Entry } from "./suspicion.ts";
import { logFields } from "./log-fields.ts";
import type { AnyWork, Work } from "./work.ts";

/** Takes one BullMQ job through its pipeline; what it gives back is the return value of a sub-job. */
export async function processJob(
  job: Job,
  token: string,
  lane: LaneContext,
): Promise<CallOutcome | null> {
  let work: AnyWork | undefined;
  let entry: Entry | undefined;
  try {
    work = await open(job, token, lane);
    entry = await enter(work);
    return await run(work);
  } catch (error) {
    if (error instanceof RunCancelled) return work && isCall(work) ? work.outcome : null;
    if (work && entry?.alone) acquit(work);
    if (work && (entry?.alone || keepsMore(work)) && goesOn(error))
      await job.updateData({ ...work.data, soFar: work.outcome });
    if (error instanceof NewerWork) lane.runs.tellOnce(error.message);
    if (error instanceof HandBack) {
      const move = await handBack(job, token, error);
      if (error instanceof NotHere) await lane.gate.rest(error.restMs);
      throw move;
    }
    if (lane.abandoned.aborted)
      throw await handBack(job, token, new HandBack("the worker gave up"));
    if (!work && error instanceof ProviderError)
      throw await handBack(job, token, await refuseLane(error, lane));
    if (!work || isMove(error) || isQueueError(error)) throw error;
    if (error instanceof Crashed) return await settleCrash(work, error);
    return await settleBug(work, error);
  } finally {
    entry?.leave();
    // Another run of the same job, after an outage, may have its call still in flight.
    if (work?.hasCalled) lane.calls.delete(job.id!);
    if (work) work.run.uses -= 1;
  }
}

async function run(work: AnyWork): Promise<CallOutcome | null> {
  if (isCall(work)) return await runCallJob(work);
  await runPromptJob(work);
  return null;
}

function isCall(work: AnyWork): work is Work<CallJob> {
  return "generations" in work.data;
}

function isMove(error: unknown): boolean {
  return error instanceof RetryLater || error instanceof WaitingChildrenError;
}

/** Whether the job comes back later, so that it has to keep what it knows. */
function goesOn(error: unknown): boolean {
  return isMove(error) || error instanceof HandBack;
}

/** The model cannot even be made ready, such as without a key: no call could succeed here. */
async function refuseLane(failure: ProviderError, lane: LaneContext): Promise<HandBack> {
  if (failureActions[failure.kind] === "leave") await lane.exit.leave(failure);
  else await lane.exit.stop(failure);
  return new HandBack(failure.message);
}

/** A bug of ours: the prompt fails with all that is known of it, and nothing is tried again. */
async function settleBug(work: AnyWork, error: unknown): Promise<CallOutcome | null> {
  work.lane.log.error({ ...logFields(work), error }, "a job failed inside imagemill");
  return await giveUp(work, "internal", stackOf(error));
}

/** A job that takes its workers down: the prompt fails, but for what is in storage. */
async function settleCrash(work: AnyWork, { message }: Crashed): Promise<CallOutcome | null> {
  work.lane.log.error(logFields(work), message);
  addOutcome(work.outcome, {
    images: await findStored(work, missingOf(wantedOf(work), work.outcome)),
  });
  return await giveUp(work, "crashed", message);
}

function wantedOf(work: AnyWork): number[] {
  return isCall(work) ? work.data.generations : generationsOf(work.data);
}

async function giveUp(
  work: AnyWork,
  kind: FailureKind,
  message: string,
): Promise<CallOutcome | null> {
  const { lane, outcome } = work;
  const missing = missingOf(wantedOf(work), outcome);
  if (missing.length > 0) outcome.failures.push({ generations: missing, kind, message });
  if (isCall(work)) return outcome;
  await lane.addResult(resultOf(work));
  return null;
}

async function open(job: Job, token: string, lane: LaneContext): Promise<AnyWork> {
  const data = parse(job);
  const registration = await lane.findRegistration(data.run);
  // Nobody waits for it: a producer that comes back, or whose Redis was emptied, adds it again.
  if (!registration) throw new RunCancelled(data.run);
  refuseStale(data, registration);
  const context = await lane.runs.get(registration);
  context.uses += 1;
  const known = { job, token, run: context, lane };
  if ("generations" in data) return { ...known, data, outcome: startOutcome(data.soFar) };
  const earlier = data.have && { images: data.have };
  return { ...known, data, outcome: startOutcome(data.soFar ?? earlier) };
}

/** A job of an earlier round has nobody who waits for it. */
function refuseStale(data: PromptJob | CallJob, registration: Registration): void {
  if (data.round < registration.round || registration.state === "cancelled")
    throw new RunCancelled(data.run);
}

function parse(job: Job): PromptJob | CallJob {
  const { v } = JobVersion.parse(job.data);
  if (v > JOB_VERSION) {
    throw new NewerWork(`jobs have version ${v}, this worker reads ${JOB_VERSION}`);
  }
  const schema: z.ZodType<PromptJob | CallJob> = job.name === jobNames.call ? CallJob : PromptJob;
  return schema.parse(job.data);
}

function keepsMore({ data, outcome }: AnyWork): boolean {
  return outcome.attempts.length > (data.soFar?.attempts.length ?? 0);
}

/** Puts the job back into the queue without spending anything, and gives the error that tells BullMQ so. */
async function handBack(job: Job, token: string, { delayMs }: HandBack): Promise<Error> {
  if (delayMs > 0) {
    await job.moveToDelayed(Date.now() + delayMs, token);
    return new DelayedError();
  }
  await job.moveToWait(token);
  return new WaitingError();
}
