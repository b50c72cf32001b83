import { guessTokens } from "./token-guess.ts";
import { plannedCall, type AnyWork } from "./work.ts";

/** Images that one call of the job may ask for: by the run's settings, and as the lane has learned. */
export function mostPerCall(work: AnyWork): number {
  const { run, lane } = work;
  const each = () => guessTokens(run.card, plannedCall(work, 1));
  return Math.min(run.file.maxGenerationsPerCall, lane.limiter.mostPerCall(each));
}
