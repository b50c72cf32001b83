import type { RunFile, RunState, RunSummary } from "../shared/run-file.ts";
import type { EngineEnd } from "./engine-parts.ts";
import type { RunPlace } from "./run-place.ts";
import type { Settled } from "./settled.ts";

/** What a run came to, from the sums of its journal. Seconds add up over its lives. */
export function summarize(
  { run, settled, place }: { run: RunFile; settled: Settled; place: Pick<RunPlace, "location"> },
  { stop }: EngineEnd,
  elapsedMs: number,
): RunSummary {
  const { prompts, images, retries, throttled, usage, costUsd, mayCostUsd } = settled.totals;
  const isWhole = prompts.partial + prompts.failed + prompts.rejected === 0;
  const finished: RunState = isWhole ? "completed" : "completed_with_failures";
  const stopped: RunState = stop?.state === "cancelled" ? "cancelled" : "stopped";
  const before = run.summary?.seconds ?? 0;
  return {
    run: run.id,
    state: stop ? stopped : finished,
    out: place.location,
    prompts: { total: settled.count, ...prompts },
    images,
    calls: settled.totals.calls + run.unsettledCalls,
    retries,
    throttled,
    usage,
    costUsd: costUsd === undefined ? null : Math.round(costUsd * 1e6) / 1e6,
    ...(mayCostUsd > 0 && { mayCostUsd: Math.round(mayCostUsd * 1e6) / 1e6 }),
    seconds: Math.round((before + elapsedMs / 1000) * 1000) / 1000,
    ...(stop && { reason: stop.text }),
  };
}
