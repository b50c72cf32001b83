import type { CallJob, CallOutcome } from "../shared/job.ts";
import { makeCall } from "./make-call.ts";
import { addOutcome, missingOf } from "./outcome.ts";
import { mostPerCall } from "./most-per-call.ts";
import { findStored } from "./store-images.ts";
import { mayHaveBeenTried, type Work } from "./work.ts";

/** Runs a sub-job: one call for its generations, or several smaller ones where the provider wants that. */
export async function runCallJob(work: Work<CallJob>): Promise<CallOutcome> {
  const { data, outcome } = work;
  if (mayHaveBeenTried(work)) {
    addOutcome(outcome, {
      images: await findStored(work, missingOf(data.generations, outcome)),
    });
  }
  for (;;) {
    const missing = missingOf(data.generations, outcome);
    if (missing.length === 0) return outcome;
    addOutcome(outcome, await makeCall(work, missing.slice(0, mostPerCall(work))));
  }
}
