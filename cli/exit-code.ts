import type { FailureKind } from "../shared/failure.ts";
import type { RunSummary } from "../shared/run-file.ts";
import { exitCodes } from "./io.ts";
import type { Allowance } from "./numbers.ts";

/** The exit code that a run's end stands for. */
export function exitCodeOf(
  { state, prompts }: Pick<RunSummary, "state" | "prompts">,
  failures: Partial<Record<FailureKind, number>>,
  allowed: Allowance = { count: 0 },
): number {
  if (failures.internal) return exitCodes.bug;
  if (state === "stopped") return exitCodes.stopped;
  if (state === "cancelled") return exitCodes.cancelled;
  const bad = prompts.partial + prompts.failed + prompts.rejected;
  const most = allowed.count ?? Math.floor((allowed.share ?? 0) * prompts.total);
  return bad <= most ? exitCodes.done : exitCodes.someFailed;
}
