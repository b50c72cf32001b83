import { deathsOf, type Deaths } from "../shared/deaths.ts";
import { Crashed, HandBack } from "./job-moves.ts";
import { logFields } from "./log-fields.ts";
import { wasInterrupted, type AnyWork } from "./work.ts";

/** A job in whose company so many workers died runs alone. */
const suspectDeaths = 2;
/**
 * A job that so many workers died of while it ran alone is given up. Where workers are killed all the time, one that runs
 * for a tenth of their lives is hit twice in a hundred cases, three times in a thousand.
 */
const fatalDeaths = 3;
/**
 * For each death alone a job lets others go first for so long, once in each process: where all workers are killed again and
 * again, it is not always the same one that is hit.
 */
const yieldMs = 2_000;
const noDeaths: Deaths = { inCompany: 0, alone: 0 };

/** How a job was let in. */
export interface Entry {
  alone: boolean;
  leave(): void;
}

/**
 * Lets a job begin: among others, or alone where workers died with it, so that its neighbours are spared. A job that was
 * begun before Redis was away and stalled for that, though its worker may live, is no suspect, and neither is one whose worker
 * died before it began.
 * @throws HandBack while another job runs alone, or where others are to go first
 * @throws Crashed where workers died of it while it was alone
 */
export async function enter(work: AnyWork): Promise<Entry> {
  const { lane, job, data } = work;
  const stalls = job.stalledCounter;
  const { isJustBack } = lane.continuity;
  const isExcused = isJustBack && lane.continuity.hasReturnedAfter(data.begunAt ?? -Infinity);
  let deaths = deathsOf(data, isExcused ? 0 : stalls);
  if (stalls > 0) await keep(work, deaths, stalls + 1);
  if (wasInterrupted(work) && (await lane.livingCallsEnded(job.id!)) && stalls > 0)
    deaths = noDeaths;
  if (deaths.alone >= fatalDeaths)
    throw new Crashed(`${deaths.alone} workers died while they worked on nothing but this prompt`);
  const alone = deaths.inCompany >= suspectDeaths;
  if (alone && deaths.alone > 0 && lane.solitude.isNew(job.id!)) await yieldToOthers(work, deaths);
  const leave = alone ? await lane.solitude.enterAlone() : lane.solitude.enter();
  if (alone)
    lane.log.warn({ ...logFields(work), ...deaths }, "workers died with this job: it runs alone");
  // Written before it begins, so that whoever takes it up after this worker's death knows.
  const begun = alone ? { ...deaths, alone: deaths.alone + 1 } : deaths;
  try {
    if (isJustBack) data.begunAt = Date.now();
    if (alone || stalls > 0 || isJustBack) await keep(work, begun, stalls);
  } catch (error) {
    leave();
    throw error;
  }
  return { alone, leave };
}

/** @throws HandBack: the job comes back later, and then begins */
async function yieldToOthers(work: AnyWork, deaths: Deaths): Promise<never> {
  await keep(work, deaths, work.job.stalledCounter + 1);
  throw new HandBack("workers died with it: others go first", yieldMs * deaths.alone);
}

/** Keeps in the job how many workers died of it; `innocentStalls`: up to which stall that is known. */
async function keep(work: AnyWork, deaths: Deaths, innocentStalls: number): Promise<void> {
  const { data, job } = work;
  data.deaths = deaths;
  data.innocentStalls = innocentStalls;
  await job.updateData(data);
}

/** No worker died of the job: what it came to so far tells nothing against it. */
export function acquit({ data, job }: AnyWork): void {
  delete data.deaths;
  data.innocentStalls = job.stalledCounter;
}
