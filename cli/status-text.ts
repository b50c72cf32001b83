import type { Heartbeat } from "../shared/heartbeat.ts";
import { count, formatSeconds, plural } from "../shared/quantity.ts";
import type { LaneStatus, RunStatus } from "./lane-status.ts";
import { bar } from "./progress-view.ts";

/** Lanes with their runs and workers, for people. */
export function statusText(lanes: readonly LaneStatus[]): string {
  if (lanes.length === 0) return "no runs\n";
  return `${lanes.flatMap(laneLines).join("\n")}\n`;
}

function laneLines({ lane, pause, holdMs, jobs, retries, runs, workers }: LaneStatus): string[] {
  const counts = Object.entries(jobs).map(([state, number]) => `${number} ${state}`);
  const { waiting, nextAt } = retries;
  const next =
    nextAt === null ? "" : `, the next in ${formatSeconds((nextAt - Date.now()) / 1000)}`;
  if (waiting > 0) counts.push(`${waiting} to be tried again${next}`);
  const isUnderWay =
    runs.some(({ summary }) => summary === undefined) ||
    Object.values(jobs).some((number) => number > 0);
  return [
    `lane ${lane}  ${isUnderWay ? counts.join("  ") : "nothing under way"}`,
    ...(pause ? [`  paused (${pause.kind}): ${pause.reason}`] : []),
    ...(holdMs > 0 ? [`  rate limit: waits ${formatSeconds(holdMs / 1000)} more`] : []),
    ...runs.flatMap(runLines),
    ...workers.map(workerLine),
    ...(!isUnderWay || workers.some(({ fit }) => fit) ? [] : adviceWithoutWorker(runs)),
  ];
}

/** What to do about a lane without a worker: runs that work by themselves go on when they are resumed, as they say. */
function adviceWithoutWorker(runs: readonly RunStatus[]): string[] {
  if (runs.length === 0 || runs.some(({ workers }) => workers !== "here"))
    return ["  no living worker serves this lane: start `imagemill work`"];
  return runs.some(({ state }) => state !== "interrupted")
    ? ["  the worker of the run's own process is not heard of"]
    : [];
}

function runLines(status: RunStatus): string[] {
  const { note } = status;
  return [
    runLine(status),
    ...(note === undefined ? [] : [`      ${note}`]),
    ...progressLines(status),
  ];
}

function runLine({ run, state, reason, round, host, location, summary }: RunStatus): string {
  const why = reason === undefined ? "" : ` (${reason})`;
  const done = summary
    ? `  ${plural(summary.prompts.total, "prompt")} settled, ${plural(summary.images, "image")}`
    : "";
  return `  run ${run}  ${state}${why}  round ${round}${done}  ${host}:${location}`;
}

/** How far the run is, below it. */
function progressLines({ progress }: RunStatus): string[] {
  if (!progress) return [];
  const { totals, settled, total, isEstimate, imagesPerSecond, etaSeconds } = progress;
  const { partial, failed, rejected } = totals.prompts;
  const share = total === undefined ? "" : `${count(settled)} of ${isEstimate ? "about " : ""}`;
  const parts = [
    total === undefined ? "" : bar(total === 0 ? 1 : Math.min(1, settled / total)),
    `${share}${plural(total ?? settled, "prompt")}`,
    plural(totals.images, "image"),
    imagesPerSecond === undefined ? "" : `${imagesPerSecond.toFixed(1)}/s`,
    etaSeconds === undefined ? "" : `${formatSeconds(etaSeconds)} left`,
    partial + failed > 0 ? `${count(partial + failed)} failed` : "",
    rejected > 0 ? `${count(rejected)} rejected` : "",
    totals.retries > 0 ? plural(totals.retries, "retry", "retries") : "",
    totals.throttled > 0 ? `${count(totals.throttled)} throttled` : "",
    totals.costUsd === undefined ? "" : `$${totals.costUsd.toFixed(2)}`,
  ];
  return [`      ${parts.filter((part) => part !== "").join("  ")}`];
}

function workerLine(beat: Heartbeat): string {
  const { worker, calls, concurrency, fit, version, rssBytes, waiting } = beat;
  const doing = waiting === undefined ? "" : `  waiting: ${waiting}`;
  const health = fit ? "" : "  its key is refused";
  const memory = `${Math.round(rssBytes / 1e6)} MB`;
  return `  worker ${worker}  ${calls.length}/${concurrency} in flight  ${memory}  v${version}${health}${doing}`;
}
