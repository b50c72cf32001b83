import type { AnyWork } from "./work.ts";

/** Images that one call of the job may ask for: by the run's settings, and as the lane has learned. */
export function mostPerCall({ run, lane }: AnyWork): number {
  return Math.min(run.file.maxGenerationsPerCall, lane.limiter.mostPerCall);
}
