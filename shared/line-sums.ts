import type { JournalLine } from "./journal-line.ts";
import { addUsage, type Usage } from "./result.ts";

/** Sums over all lines of a journal, also where one prompt has several: each tells what was made and spent anew. */
export interface LineSums {
  images: number;
  /** Requests known to have been sent: those that a killed process had in flight are not among them. */
  calls: number;
  retries: number;
  throttled: number;
  usage: Usage;
  /** Undefined while no cost is known. */
  costUsd: number | undefined;
  /** The most that may be charged on top of it, for calls that failed after the provider had them. */
  mayCostUsd: number;
}

/** The part of a journal line that the sums are made of. */
export type SummedLine = Pick<JournalLine, "newImages" | "calls" | "retries" | "throttled"> &
  Partial<Pick<JournalLine, "usage" | "costUsd" | "mayCostUsd">>;

/** The sums of no line. */
export function noSums(): LineSums {
  return {
    images: 0,
    calls: 0,
    retries: 0,
    throttled: 0,
    usage: {},
    costUsd: undefined,
    mayCostUsd: 0,
  };
}

/** Adds a line to sums, in place. */
export function addLine(sums: LineSums, line: SummedLine): void {
  sums.images += line.newImages;
  sums.calls += line.calls;
  sums.retries += line.retries;
  sums.throttled += line.throttled;
  sums.usage = addUsage(sums.usage, line.usage) ?? {};
  if (line.costUsd !== undefined) sums.costUsd = (sums.costUsd ?? 0) + line.costUsd;
  sums.mayCostUsd += line.mayCostUsd ?? 0;
}
