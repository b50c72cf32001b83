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
import type { FoundRun } from "./find-run.ts";

/** A run as `status` shows it. */
export interface RunStatus extends Pick<
  Registration,
  "run" | "round" | "reason" | "host" | "location"
> {
  state: Registration["state"] | RunSummary["state"];
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
  await queue.close();
  return { lane, pause: pause ?? null, holdMs, jobs, runs: [...runs.values()], workers };
}

/** A run that no Redis knows: what its directory says of it. */
export async function readStopped({ directory, run }: FoundRun): Promise<LaneStatus> {
  const steering = await readSteering(directory);
  const { id, round, host, summary } = run;
  const isOver = summary?.state.startsWith("completed") === true;
  const reason = steering?.reason ?? summary?.reason;
  const status: RunStatus = {
    run: id,
    round,
    state: isOver ? summary.state : (steering?.state ?? summary?.state ?? "stopped"),
    ...(reason !== undefined && { reason }),
    host,
    location: directory,
    summary,
  };
  const lane = laneName(run.profile, run.model);
  return { lane, pause: null, holdMs: 0, jobs: {}, runs: [status], workers: [] };
}

/** Lines for people. */
export function statusText(lanes: readonly LaneStatus[]): string {
  if (lanes.length === 0) return "no runs\n";
  return `${lanes.flatMap(laneLines).join("\n")}\n`;
}

function laneLines({ lane, pause, holdMs, jobs, runs, workers }: LaneStatus): string[] {
  const counts = Object.entries(jobs).map(([state, count]) => `${count} ${state}`);
  const isUnderWay = counts.length > 0;
  return [
    `lane ${lane}  ${isUnderWay ? counts.join("  ") : "nothing under way"}`,
    ...(pause ? [`  paused (${pause.kind}): ${pause.reason}`] : []),
    ...(holdMs > 0 ? [`  rate limit: waits ${Math.ceil(holdMs / 1000)} s more`] : []),
    ...runs.map(runLine),
    ...workers.map(workerLine),
    ...(!isUnderWay || workers.some(({ fit }) => fit)
      ? []
      : ["  no living worker serves this lane: start `imagemill work`"]),
  ];
}

function runLine({ run, state, reason, round, host, location, summary }: RunStatus): string {
  const why = reason === undefined ? "" : ` (${reason})`;
  const done = summary
    ? `  ${summary.prompts.total} prompts settled, ${summary.images} images`
    : "";
  return `  run ${run}  ${state}${why}  round ${round}${done}  ${host}:${location}`;
}

function workerLine(beat: Heartbeat): string {
  const { worker, calls, concurrency, fit, version, rssBytes, waiting } = beat;
  const doing = waiting === undefined ? "" : `  waiting: ${waiting}`;
  const health = fit ? "" : "  its key is refused";
  const memory = `${Math.round(rssBytes / 1e6)} MB`;
  return `  worker ${worker}  ${calls.length}/${concurrency} in flight  ${memory}  v${version}${health}${doing}`;
}
