import type { AnyWork } from "./work.ts";

/** Images that one call of the job may ask for: by the run's settings, and as the lane has learned. */
export function mostPerCall({ run, lane }: AnyWork): number {
  return Math.min(run.file.maxGenerationsPerCall, lane.limiter.mostPerCall);
}

/** Splits generations, in order, into calls of at most `maxPerCall` images. */
export function planCalls(generations: readonly number[], maxPerCall: number): number[][] {
  const calls: number[][] = [];
  for (let first = 0; first < generations.length; first += maxPerCall) {
    calls.push(generations.slice(first, first + maxPerCall));
  }
  return calls;
}
