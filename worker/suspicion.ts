import { deathsOf } from "../shared/deaths.ts";
import { Crashed } from "./job-moves.ts";
import { logFields } from "./log-fields.ts";
import { wasInterrupted, type AnyWork } from "./work.ts";

/** A job in whose company so many workers died runs alone. */
const suspectDeaths = 2;
/** A job that so many workers died of while it ran alone is given up. */
const fatalDeaths = 2;

/** How a job was let in. */
export interface Entry {
  alone: boolean;
  leave(): void;
}

/**
 * Lets a job begin: among others, or alone where workers died with it, so that its neighbours are spared. A job that
 * stalled although its worker lives, since Redis was away, is no suspect.
 * @throws HandBack while another job runs alone
 * @throws Crashed where workers died of it while it was alone
 */
export async function enter(work: AnyWork): Promise<Entry> {
  const { lane, job } = work;
  if (wasInterrupted(work) && (await lane.livingCallsEnded(job.id!)) && job.stalledCounter > 0) {
    acquit(work);
    await job.updateData(work.data);
  }
  const { inCompany, alone } = deathsOf(work.data, job.stalledCounter);
  if (inCompany < suspectDeaths) {
    lane.solitude.enter();
    return { alone: false, leave: () => lane.solitude.leave() };
  }
  if (alone >= fatalDeaths)
    throw new Crashed(`${alone} workers died while they worked on nothing but this prompt`);
  const leave = await lane.solitude.enterAlone();
  lane.log.warn(
    { ...logFields(work), inCompany, alone },
    "workers died with this job: it runs alone",
  );
  // Written before it begins, so that whoever takes it up after this worker's death knows.
  const deaths = { inCompany, alone: alone + 1 };
  try {
    await job.updateData({ ...work.data, deaths, innocentStalls: job.stalledCounter });
  } catch (error) {
    leave();
    throw error;
  }
  return { alone: true, leave };
}

/** No worker died of the job: what it came to so far tells nothing against it. */
export function acquit({ data, job }: AnyWork): void {
  delete data.deaths;
  data.innocentStalls = job.stalledCounter;
}
