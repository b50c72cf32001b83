import type { Totals } from "../../producer/settled.ts";
import type { JournalLine } from "../../shared/journal-line.ts";
import type { RunFile } from "../../shared/run-file.ts";

/** What of a run decides whether a line settles its prompt. */
export type Asked = Pick<RunFile, "round" | "numGenerations" | "retryKinds">;

/** Whether the run asks more of a prompt than this line has, said as plainly as possible. */
export function asksMore(line: JournalLine, { round, numGenerations, retryKinds }: Asked): boolean {
  if (line.state === "rejected") return false;
  const wantsMoreImages = line.numGenerations < numGenerations;
  const lost = line.state !== "succeeded" && line.round < round;
  const isKind = retryKinds === null || line.failures.some(({ kind }) => retryKinds.includes(kind));
  return wantsMoreImages || (lost && isKind);
}

/** States and sums by counting everything again, line by line. */
export function recount(
  lines: readonly JournalLine[],
  asked: Asked,
): { totals: Totals; settled: Set<number> } {
  const last = new Map(lines.map((line) => [line.index, line]));
  const standing = [...last.values()].filter((line) => !asksMore(line, asked));
  const sum = (of: (line: JournalLine) => number | undefined) =>
    lines.reduce((total, line) => total + (of(line) ?? 0), 0);
  const inState = (state: JournalLine["state"]) =>
    standing.filter((line) => line.state === state).length;
  const failures: Totals["failures"] = {};
  for (const { kind } of standing.flatMap((line) => line.failures))
    failures[kind] = (failures[kind] ?? 0) + 1;
  const totals: Totals = {
    prompts: {
      succeeded: inState("succeeded"),
      partial: inState("partial"),
      failed: inState("failed"),
      rejected: inState("rejected"),
    },
    images: sum((line) => line.newImages),
    calls: sum((line) => line.calls),
    retries: sum((line) => line.retries),
    throttled: sum((line) => line.throttled),
    usage: lines.some(({ usage }) => usage)
      ? { outputTokens: sum(({ usage }) => usage?.outputTokens) }
      : {},
    mayCostUsd: sum((line) => line.mayCostUsd ?? 0),
    costUsd: lines.some(({ costUsd }) => costUsd !== undefined)
      ? sum((line) => line.costUsd)
      : undefined,
    failures,
  };
  return { totals, settled: new Set(standing.map(({ index }) => index)) };
}

/** Totals without kinds of failure that none has any more. */
export function withoutZeros(totals: Totals): Totals {
  const failures = Object.fromEntries(
    Object.entries(totals.failures).filter(([, count]) => count !== 0),
  );
  return { ...totals, failures };
}
