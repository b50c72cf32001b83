import type { Queue } from "bullmq";
import type { Heartbeat } from "../shared/heartbeat.ts";
import { defaultPrefix, laneKeys } from "../shared/keys.ts";
import { laneName } from "../shared/lane.ts";
import { openLaneQueue } from "../shared/lane-queue.ts";
import { readHeartbeats, readLaneState, type LanePause } from "../shared/lane-state.ts";
import type { RedisClient } from "../shared/redis.ts";
import type { Registration } from "../shared/registration.ts";
import type { RunSummary } from "../shared/run-file.ts";
import { listLanes } from "../shared/steer.ts";
import { readSteering } from "../shared/steering.ts";
import { KnownRun } from "../monitor/known-run.ts";
import { readRetries } from "../monitor/retries.ts";
import { measureRun, type RunMeasures } from "../monitor/run-view.ts";
import { readRunFile } from "../shared/run-file.ts";
import { endsWithin } from "../shared/within.ts";
import { count, plural } from "../shared/quantity.ts";
import { bar, formatSeconds } from "./progress-view.ts";
import type { FoundRun } from "./find-run.ts";

/** A run as `status` shows it. */
export interface RunStatus extends Pick<
  Registration,
  "run" | "round" | "reason" | "host" | "location"
> {
  state: Registration["state"] | RunSummary["state"];
  /** How far it is, where its directory can be seen from here. */
  progress?: RunMeasures;
  /** What it came to when it last ended, for a run that is not under way. */
  summary?: RunSummary | null;
}

/** What one lane is doing. */
export interface LaneStatus {
  lane: string;
  pause: LanePause | null;
  /** Milliseconds that the lane has to wait because of a rate limit. */
  holdMs: number;
  /** Jobs by BullMQ's states. */
  jobs: Record<string, number>;
  /** Jobs that failed and wait for another attempt; when the first is due, in milliseconds since 1970. */
  retries: { waiting: number; nextAt: number | null };
  runs: RunStatus[];
  workers: Heartbeat[];
}

/** All lanes of a Redis, or those of one run. */
export async function readLanes(
  redis: RedisClient,
  run: string | undefined,
): Promise<LaneStatus[]> {
  const lanes = await listLanes(redis, defaultPrefix);
  const all = await Promise.all(lanes.map((lane) => readLane(redis, lane)));
  return run === undefined
    ? all
    : all.filter(({ runs }) => runs.some((known) => known.run === run));
}

async function readLane(redis: RedisClient, lane: string): Promise<LaneStatus> {
  const keys = laneKeys(defaultPrefix, lane);
  const { pause, holdMs, runs } = await readLaneState(redis, keys);
  const workers = await readHeartbeats(redis, keys);
  const queue = openLaneQueue(lane, keys, redis);
  const jobs = await queue.getJobCounts("active", "wait", "delayed", "waiting-children");
  const retries = await waitingRetries(redis, queue);
  await queue.close();
  const measured = await Promise.all(Array.from(runs.values(), withProgress));
  return { lane, pause: pause ?? null, holdMs, jobs, retries, runs: measured, workers };
}

async function waitingRetries(redis: RedisClient, queue: Queue): Promise<LaneStatus["retries"]> {
  const { retries } = await readRetries(redis, queue);
  const waiting = retries.filter(({ state }) => state !== "active");
  const due = waiting.flatMap(({ dueAt }) => dueAt ?? []);
  return { waiting: waiting.length, nextAt: due.length > 0 ? Math.min(...due) : null };
}

/** Runs looked at before: of their journals only what is new is read. */
const known = new Map<string, KnownRun>();
/** A long journal is not waited for: its progress shows the next time. */
const readMs = 2_000;

async function withProgress(registration: Registration): Promise<RunStatus> {
  const { run, location, state } = registration;
  const file = await readRunFile(location).catch(() => undefined);
  // Another host's path may be another run's here.
  if (file?.id !== run) return registration;
  const seen = known.get(location) ?? new KnownRun(location, file);
  known.set(location, seen);
  await endsWithin(readMs, seen.look());
  if (seen.indexed < 1) return registration;
  return { ...registration, progress: measureRun(seen, state === "running") };
}

/** A run that no Redis knows: what its own files say of it. */
export async function readStopped({ location, state: files, run }: FoundRun): Promise<LaneStatus> {
  const steering = await readSteering(files);
  const { id, round, host, summary } = run;
  const isOver = summary?.state.startsWith("completed") === true;
  const { reason } = steering ?? summary ?? {};
  const status: RunStatus = {
    run: id,
    round,
    state: isOver ? summary.state : (steering?.state ?? summary?.state ?? "stopped"),
    ...(reason !== undefined && { reason }),
    host,
    location,
    summary,
  };
  const lane = laneName(run.profile, run.model);
  const retries = { waiting: 0, nextAt: null };
  return { lane, pause: null, holdMs: 0, jobs: {}, retries, runs: [status], workers: [] };
}

/** Lines for people. */
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
  const isUnderWay = counts.length > 0;
  return [
    `lane ${lane}  ${isUnderWay ? counts.join("  ") : "nothing under way"}`,
    ...(pause ? [`  paused (${pause.kind}): ${pause.reason}`] : []),
    ...(holdMs > 0 ? [`  rate limit: waits ${Math.ceil(holdMs / 1000)} s more`] : []),
    ...runs.flatMap((run) => [runLine(run), ...progressLines(run)]),
    ...workers.map(workerLine),
    ...(!isUnderWay || workers.some(({ fit }) => fit)
      ? []
      : ["  no living worker serves this lane: start `imagemill work`"]),
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
