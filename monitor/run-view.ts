import { basename } from "node:path";
import type { LaneState } from "../shared/lane-state.ts";
import { restingState, takenBack } from "../shared/resting-state.ts";
import { type RunFile, wantedRows } from "../shared/run-file.ts";
import type { KnownRun } from "./known-run.ts";
import type { SeenLane } from "./queue-sources.ts";
import type { RunIndex, RunTotals } from "./run-index.ts";

/**
 * How a run is: as its producer registered it, or as it ended. `interrupted`: it did not end and nobody feeds it now.
 */
export type RunCondition =
  | "running"
  | "paused"
  | "stopping"
  | "interrupted"
  | "completed"
  | "completed_with_failures"
  | "stopped"
  | "cancelled";

/** How far a run is and how fast. */
export interface RunMeasures {
  totals: Pick<RunTotals, "prompts" | "images" | "retries" | "throttled" | "costUsd" | "calls">;
  settled: number;
  /** Rows of the run; undefined until the dataset's end was read, where no limit was given. */
  total: number | undefined;
  /** The total was counted by the dataset's lines: the run has not read its end yet. */
  isEstimate: boolean;
  /** Images a second over the last half minute; undefined where the run is not under way. */
  imagesPerSecond: number | undefined;
  etaSeconds: number | undefined;
}

/** The figures of a run, from its journal, its `run.json` and its lane. */
export interface RunView extends RunMeasures {
  id: string;
  /** The last part of its location. */
  name: string;
  file: RunFile;
  condition: RunCondition;
  /** Why it is paused or stopped, where that is known. */
  reason: string | undefined;
  /** The lane that knows the run, while its producer is there. */
  lane: SeenLane | undefined;
  /** Why the run directory cannot be read as a whole, where it cannot. */
  trouble: string | undefined;
  /** Share of the journal that is counted. */
  indexed: number;
}

const rateMs = 30_000;

/** What a run's pages show of it. */
export function viewRun(run: KnownRun, lanes: readonly SeenLane[], now = Date.now()): RunView {
  const { file } = run;
  const lane = lanes.find(({ snapshot }) => snapshot.state.runs.has(file.id));
  const { condition, reason } = conditionOf(run, lane);
  return {
    id: file.id,
    name: basename(run.source.location),
    file,
    condition,
    reason,
    lane,
    trouble: run.trouble?.message,
    indexed: run.indexed,
    ...measureRun(run, condition === "running", now),
    ...(lane && isAtRest(lane.snapshot.state, lane.snapshot.jobs) && { etaSeconds: undefined }),
  };
}

/** A hold as long as this makes what a lane did before no measure of the time that is left. */
const longHoldMs = 10_000;

/** Whether no call of a lane starts for a while: it is paused or held, or none of its jobs is due. */
export function isAtRest(
  { pause, holdMs }: Pick<LaneState, "pause" | "holdMs">,
  jobs: Record<string, number>,
): boolean {
  const { active = 0, wait = 0, delayed = 0 } = jobs;
  return pause !== undefined || holdMs >= longHoldMs || (active + wait === 0 && delayed > 0);
}

/** How far a run is and how fast, by its directory alone. */
export function measureRun(run: KnownRun, isRunning: boolean, now = Date.now()): RunMeasures {
  const { file, index, sums } = run;
  const totals = sums?.totals ?? totalsOf(file);
  const again = sums?.toDoAgain ?? 0;
  const { succeeded, partial, failed, rejected } = totals.prompts;
  const settled = Math.max(0, succeeded + partial + failed + rejected - again);
  const known = wantedRows(file);
  const estimate = run.estimatedRows;
  const total = known ?? (estimate === undefined ? undefined : Math.max(estimate, settled));
  const rate = isRunning ? recentRate(index, now) : undefined;
  const left = total === undefined ? undefined : Math.max(0, total - settled);
  return {
    totals,
    settled,
    total,
    isEstimate: known === undefined,
    imagesPerSecond: rate?.images,
    etaSeconds: left === undefined || !rate || rate.settled === 0 ? undefined : left / rate.settled,
  };
}

/** Whether the run may still change by itself. */
export function isUnderWay(condition: RunCondition): boolean {
  return condition === "running" || condition === "paused" || condition === "stopping";
}

function conditionOf(
  { file, steering, source }: KnownRun,
  lane: SeenLane | undefined,
): Pick<RunView, "condition" | "reason"> {
  const registered = lane?.snapshot.state.runs.get(file.id);
  if (registered && lane?.snapshot.produced.has(file.id)) {
    const { state, reason } = registered;
    return { condition: state === "running" || state === "paused" ? state : "stopping", reason };
  }
  const { state = "interrupted", reason, isTakenBack } = restingState(file, steering);
  if (isTakenBack) return { condition: state, reason: takenBack(source.location) };
  return { condition: state, reason: reason ?? registered?.reason };
}

function totalsOf({ summary }: RunFile): RunMeasures["totals"] {
  if (!summary) {
    const prompts = { succeeded: 0, partial: 0, failed: 0, rejected: 0 };
    return { prompts, images: 0, calls: 0, retries: 0, throttled: 0, costUsd: undefined };
  }
  const { prompts, images, calls, retries, throttled, costUsd } = summary;
  const { succeeded, partial, failed, rejected } = prompts;
  return {
    prompts: { succeeded, partial, failed, rejected },
    images,
    calls,
    retries,
    throttled,
    costUsd: costUsd ?? undefined,
  };
}

function recentRate(index: RunIndex | undefined, now: number) {
  if (!index) return undefined;
  const from = Math.max(index.series.startMs, now - rateMs);
  const seconds = Math.max(1, (now - from) / 1000);
  const sum = (name: "images" | "settled") => index.series.sumSince(name, from);
  return { images: sum("images") / seconds, settled: sum("settled") / seconds };
}
