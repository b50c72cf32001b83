import type { Queue } from "bullmq";
import { deathsOf, type Deaths } from "../shared/deaths.ts";
import { PromptJob } from "../shared/job.ts";

/** What counts of a job, of either kind, that was in the queue when everything died. */
const LeftJob = PromptJob.pick({ run: true, index: true, deaths: true, innocentStalls: true });

/**
 * How many processes died with each of a run's prompts in hand, by index, where everything that used the queue is dead: that
 * death included, and for jobs that had been put off until later what they knew.
 */
export async function deathsInQueue(queue: Queue, run: string): Promise<Map<number, Deaths>> {
  const deaths = new Map<number, Deaths>();
  const active = new Set(await queue.getActive());
  const others = await queue.getJobs(["wait", "delayed", "waiting-children"]);
  for (const job of [...active, ...others]) {
    const { data: record } = LeftJob.safeParse(job.data);
    if (record?.run !== run) continue;
    // What was in hand would stall now, if anybody were there to see it.
    const died = deathsOf(record, job.stalledCounter + (active.has(job) ? 1 : 0));
    if (died.inCompany + died.alone === 0) continue;
    deaths.set(record.index, worseOf(deaths.get(record.index), died));
  }
  return deaths;
}

/** A prompt and its sub-jobs can have been met by different deaths. */
function worseOf(a: Deaths | undefined, b: Deaths): Deaths {
  if (!a) return b;
  return a.alone > b.alone || (a.alone === b.alone && a.inCompany > b.inCompany) ? a : b;
}
