import type { JournalLine } from "../../shared/journal-line.ts";
import type { PromptState } from "../../shared/result.ts";

/** What the output files hold, counted while they are written, and what the run's calls cost. */
export interface RunCounts {
  prompts: Record<PromptState, number>;
  images: number;
  /** US dollars over all rounds; undefined where no price is known. */
  costUsd: number | undefined;
}

/** Counts of a run of which nothing is settled yet. */
export function noCounts(costUsd: number | undefined): RunCounts {
  return { prompts: { succeeded: 0, partial: 0, failed: 0, rejected: 0 }, images: 0, costUsd };
}

/** Counts the last line of one more index. */
export function countLine(counts: RunCounts, line: JournalLine): void {
  counts.prompts[line.state]++;
  counts.images += line.images.length;
}

/** Prompts that were sent. */
export function promptsSent({ prompts }: RunCounts): number {
  return prompts.succeeded + prompts.partial + prompts.failed;
}

/** A cost for people, in US dollars. */
export function shownCost(costUsd: number | undefined): string {
  if (costUsd === undefined) return "not known";
  return `$${costUsd.toFixed(costUsd !== 0 && costUsd < 0.1 ? 4 : 2)}`;
}
