import { z } from "zod";

/** How many workers died with a job in hand, as far as it is known. */
export const Deaths = z.object({
  /** Among other jobs, which may have been the cause as well. */
  inCompany: z.int().min(0),
  /** While it ran alone. */
  alone: z.int().min(0),
});
export type Deaths = z.infer<typeof Deaths>;

/**
 * What a job keeps of its past: deaths that its queue's own count does not know, and how many of its stalls are among them or
 * were no death of its own, since its worker lived on or died before the job began.
 */
export interface DeathRecord {
  deaths?: Deaths | undefined;
  innocentStalls?: number | undefined;
  begunAt?: number | undefined;
}

/** The deaths of a job by its record and by BullMQ's count of its stalls. */
export function deathsOf({ deaths, innocentStalls = 0 }: DeathRecord, stalls: number): Deaths {
  const { inCompany, alone } = deaths ?? { inCompany: 0, alone: 0 };
  return { inCompany: inCompany + Math.max(0, stalls - innocentStalls), alone };
}
