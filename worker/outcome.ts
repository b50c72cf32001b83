import type { CallOutcome } from "../shared/job.ts";
import { addUsage } from "../shared/result.ts";

/** An outcome to add to, starting with a copy of what is known. */
export function startOutcome(known?: Partial<CallOutcome>): CallOutcome {
  return { images: [], failures: [], attempts: [], ...(known && structuredClone(known)) };
}

/** Adds what another call came to. */
export function addOutcome(outcome: CallOutcome, more: Partial<CallOutcome>): void {
  outcome.images.push(...(more.images ?? []));
  outcome.failures.push(...(more.failures ?? []));
  outcome.attempts.push(...(more.attempts ?? []));
  const usage = addUsage(outcome.usage, more.usage);
  if (usage) outcome.usage = usage;
}

/** Those of the generations that are neither made nor known to have failed, in order. */
export function missingOf(
  generations: readonly number[],
  ...outcomes: readonly CallOutcome[]
): number[] {
  const settled = new Set(
    outcomes.flatMap(({ images, failures }) => [
      ...images.map((image) => image.generation),
      ...failures.flatMap((failure) => failure.generations),
    ]),
  );
  return generations.filter((generation) => !settled.has(generation));
}
