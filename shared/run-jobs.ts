import type { JobType, Queue } from "bullmq";
import { z } from "zod";
import { CallOutcome } from "./job.ts";
import { countCalls } from "./result.ts";

const everyState: JobType[] = ["active", "wait", "prioritized", "delayed", "waiting-children"];

const JobWithPast = z.looseObject({ soFar: CallOutcome.optional() });

/** The jobs that a run has in its lane's queue, sub-jobs included, of all rounds: ids by the id of their prompt job. */
export async function runJobs(queue: Queue, run: string): Promise<Map<string, string[]>> {
  const ids = await queue.getRanges(everyState, 0, -1);
  const byPrompt = new Map<string, string[]>();
  for (const id of ids) {
    if (!id.startsWith(`${run}-`)) continue;
    const prompt = id.split("-").slice(0, 3).join("-");
    byPrompt.set(prompt, [...(byPrompt.get(prompt) ?? []), id]);
  }
  return byPrompt;
}

/** Takes a prompt's jobs out of the queue. False where a worker holds one of them: then it is to be tried again. */
export async function removePromptJobs(
  queue: Queue,
  prompt: string,
  ids: readonly string[],
): Promise<boolean> {
  // With its children at once, so that a parent cannot go on in between.
  if ((await queue.remove(prompt, { removeChildren: true })) !== 1) return false;
  for (const id of ids) if (id !== prompt && (await queue.remove(id)) !== 1) return false;
  return true;
}

/** Requests that were sent for these jobs and that no result tells of yet. */
export async function callsSentFor(queue: Queue, ids: readonly string[]): Promise<number> {
  const calls = await Promise.all(ids.map((id) => callsOfJob(queue, id)));
  return calls.reduce((sum, n) => sum + n, 0);
}

async function callsOfJob(queue: Queue, id: string): Promise<number> {
  const job = await queue.getJob(id);
  if (!job) return 0;
  const own = JobWithPast.safeParse(job.data);
  const children = Object.values(await job.getChildrenValues()).flatMap(
    (value) => CallOutcome.safeParse(value).data ?? [],
  );
  const soFar = own.data?.soFar;
  const outcomes = soFar ? [soFar, ...children] : children;
  return outcomes.reduce((sum, { attempts }) => sum + countCalls(attempts), 0);
}
