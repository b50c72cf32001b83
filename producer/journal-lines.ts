import { JOURNAL_VERSION, type JournalLine, type JournalRow } from "../shared/journal-line.ts";
import { countCalls, type ImageRecord, type PromptResult } from "../shared/result.ts";

/**
 * The journal line of a worker's result. `earlier` are the images that the prompt had from earlier lines, `gone` is how
 * many more these counted whose files were no longer there: neither is counted again.
 */
export function lineOfResult(
  result: PromptResult,
  row: JournalRow,
  earlier: readonly ImageRecord[],
  gone = 0,
): JournalLine {
  const had = new Set(earlier.map((image) => image.generation));
  const made = result.images.filter((image) => !had.has(image.generation)).length;
  const burned = result.attempts.filter(
    (attempt) => attempt.burned && attempt.outcome !== "ok",
  ).length;
  const lost = result.failures.length;
  return {
    v: JOURNAL_VERSION,
    index: result.index,
    round: result.round,
    state: result.state,
    numGenerations: result.numGenerations,
    newImages: Math.max(0, made - gone),
    calls: countCalls(result.attempts),
    // The last attempt of a call that was given up is not followed by a retry.
    retries: Math.max(0, burned - lost),
    throttled: result.attempts.filter((attempt) => attempt.outcome === "rate_limited").length,
    settledAt: Date.now(),
    row,
    images: result.images,
    failures: result.failures,
    attempts: result.attempts,
    ...(result.usage && { usage: result.usage }),
    ...(result.costUsd !== undefined && { costUsd: result.costUsd }),
    ...(result.mayCostUsd !== undefined && { mayCostUsd: result.mayCostUsd }),
  };
}

/** The journal line of a row that is never sent. */
export function lineOfRejected(
  run: { round: number; numGenerations: number },
  { index, ...rejected }: { index: number } & NonNullable<JournalLine["rejected"]>,
): JournalLine {
  return {
    v: JOURNAL_VERSION,
    index,
    round: run.round,
    state: "rejected",
    numGenerations: run.numGenerations,
    newImages: 0,
    calls: 0,
    retries: 0,
    throttled: 0,
    settledAt: Date.now(),
    rejected,
    images: [],
    failures: [],
    attempts: [],
  };
}
