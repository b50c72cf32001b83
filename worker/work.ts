import type { Job } from "bullmq";
import type { PlannedCall } from "../shared/call-tokens.ts";
import type { CallJob, CallOutcome, PromptJob } from "../shared/job.ts";
import type { LaneContext } from "./lane-context.ts";
import type { RunContext } from "./run-contexts.ts";

/** One job in hand: what every step of its pipeline works on. */
export interface Work<Data> {
  job: Job;
  token: string;
  data: Data;
  run: RunContext;
  lane: LaneContext;
  /** Set once the job has a call in flight here, so that its end takes it off the list. */
  hasCalled?: true;
  /** Grows with each call; kept in the job when it is put off. */
  outcome: CallOutcome;
}

/** A job of either kind in hand. */
export type AnyWork = Work<PromptJob> | Work<CallJob>;

/** The parameters of a job's calls: the run's, and the row's own on top. */
export function parametersOf({ run, data }: AnyWork): Record<string, unknown> {
  return { ...run.file.parameters, ...data.parameters };
}

type MaybeTried = Pick<Work<{ mayExist?: true | undefined }>, "job" | "data" | "lane">;

/** Whether something of the job may be in storage already. */
export function mayHaveBeenTried(work: MaybeTried): boolean {
  const { job, lane } = work;
  const isOld = lane.continuity.mayHaveGoneBack(job.timestamp);
  return job.attemptsStarted > 1 || isOld || wasInterrupted(work);
}

/** Whether an earlier call of the job may still be in flight in a living worker. */
export function wasInterrupted({ job, data, lane }: MaybeTried): boolean {
  const isOld = lane.continuity.hasReturnedSince(job.timestamp);
  return job.stalledCounter > 0 || data.mayExist === true || isOld;
}

/** A call of the job for so many images, as far as its price and its tokens depend on it. */
export function plannedCall(work: AnyWork, images: number): PlannedCall {
  return { images, prompt: work.data.prompt, parameters: parametersOf(work) };
}
