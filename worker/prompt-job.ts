import { WaitingChildrenError, type Job } from "bullmq";
import { CallOutcome, jobId, JOB_VERSION, type CallJob, type PromptJob } from "../shared/job.ts";
import { RESULT_VERSION, type PromptResult } from "../shared/result.ts";
import { HandBack } from "./job-moves.ts";
import { makeCall } from "./make-call.ts";
import { addOutcome, missingOf, startOutcome } from "./outcome.ts";
import { mostPerCall } from "./most-per-call.ts";
import { planCalls } from "./plan.ts";
import { findStored } from "./store-images.ts";
import { mayHaveBeenTried, wasInterrupted, type Work } from "./work.ts";

/**
 * Runs a prompt job: makes what is missing of its images, in one call by itself or in several by sub-jobs, and reports
 * the grouped result before the job completes.
 * @throws WaitingChildrenError when it waits for its sub-jobs; it is run again when they are done
 */
export async function runPromptJob(work: Work<PromptJob>): Promise<void> {
  const { data, outcome } = work;
  const all = generationsOf(data);
  const children = mayHaveBeenTried(work) ? await recall(work, all) : startOutcome();
  for (;;) {
    const missing = missingOf(all, outcome, children);
    if (missing.length === 0) break;
    const calls = planCalls(missing, mostPerCall(work));
    if (calls.length > 1) await expand(work, calls);
    addOutcome(outcome, await makeCall(work, missing));
  }
  addOutcome(outcome, children);
  await work.lane.addResult(resultOf(work));
}

/** All generations that a prompt job asks for. */
export function generationsOf({ numGenerations }: PromptJob): number[] {
  return Array.from({ length: numGenerations }, (_, generation) => generation);
}

/**
 * Learns what became of the job so far: from its sub-jobs, and what they do not know from storage.
 * @throws WaitingChildrenError where sub-jobs of an earlier try are not done
 */
async function recall(work: Work<PromptJob>, all: readonly number[]): Promise<CallOutcome> {
  const { outcome } = work;
  const children = await doneChildren(work, all);
  const missing = missingOf(all, outcome, children);
  if (missing.length > 0) addOutcome(outcome, { images: await findStored(work, missing) });
  return children;
}

/**
 * What the sub-jobs came to, when they are done. A worker that died, lost its lock, or was refused by a full Redis after it
 * added some leaves them in the queue: what is missing is theirs to make, and where nothing is, BullMQ does not let their
 * prompt job complete before them.
 */
async function doneChildren(work: Work<PromptJob>, all: readonly number[]): Promise<CallOutcome> {
  const { job, token, outcome } = work;
  if (!wasInterrupted(work)) {
    const children = await outcomeOfChildren(job);
    if (missingOf(all, outcome, children).length === 0) return children;
  }
  if (await job.moveToWaitingChildren(token)) throw new WaitingChildrenError();
  return await outcomeOfChildren(job);
}

async function outcomeOfChildren(job: Job): Promise<CallOutcome> {
  const children = startOutcome();
  // What a newer worker's sub-job says may not be readable here: its images are found in storage.
  for (const value of Object.values(await job.getChildrenValues()))
    addOutcome(children, CallOutcome.safeParse(value).data ?? {});
  return children;
}

/**
 * Adds one sub-job a call, ahead of waiting prompts, and waits for them.
 * @throws WaitingChildrenError, or HandBack where there is nothing to wait for any more
 */
async function expand(work: Work<PromptJob>, calls: number[][]): Promise<never> {
  const { job, token, data, lane, outcome } = work;
  if (outcome.attempts.length > 0) await job.updateData({ ...data, soFar: outcome });
  const subJobs = calls.map((generations) => ({
    id: jobId(data.run, data.round, data.index, generations[0]),
    data: callJob(work, generations),
  }));
  const lost = await lane.subJobs.add(job.id!, subJobs);
  if (lost.length > 0)
    throw new HandBack(`sub-jobs of ${job.id} were not added, Redis answered ${lost.join(", ")}`);
  if (await job.moveToWaitingChildren(token)) throw new WaitingChildrenError();
  throw new HandBack("the sub-jobs are done already");
}

function callJob(work: Work<PromptJob>, generations: number[]): CallJob {
  const { data } = work;
  const { run, round, index, prompt, parameters } = data;
  return {
    v: JOB_VERSION,
    run,
    round,
    index,
    prompt,
    generations,
    ...(parameters && { parameters }),
    ...(wasInterrupted(work) && { mayExist: true }),
    ...(data.deaths && { deaths: data.deaths }),
  };
}

/** What a prompt job reports, from what its calls came to. */
export function resultOf({ data, outcome }: Work<PromptJob>): PromptResult {
  const { run, round, index, numGenerations } = data;
  const images = outcome.images.toSorted((a, b) => a.generation - b.generation);
  const earlier = new Set(data.have?.map((image) => image.generation));
  const costs = images.flatMap((image) =>
    earlier.has(image.generation) ? [] : (image.costUsd ?? []),
  );
  return {
    v: RESULT_VERSION,
    run,
    round,
    index,
    numGenerations,
    state:
      images.length === numGenerations ? "succeeded" : images.length > 0 ? "partial" : "failed",
    images,
    failures: outcome.failures,
    attempts: outcome.attempts,
    ...(outcome.usage && { usage: outcome.usage }),
    ...(costs.length > 0 && { costUsd: costs.reduce((sum, cost) => sum + cost, 0) }),
    ...mayCost(outcome),
  };
}

function mayCost({ attempts }: CallOutcome): Pick<PromptResult, "mayCostUsd"> {
  const costs = attempts.flatMap(({ mayCostUsd = 0 }) => (mayCostUsd > 0 ? mayCostUsd : []));
  return costs.length > 0 ? { mayCostUsd: costs.reduce((sum, cost) => sum + cost, 0) } : {};
}
