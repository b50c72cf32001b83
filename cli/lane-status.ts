import { hostname } from "node:os";
import type { Queue } from "bullmq";
import type { Heartbeat } from "../shared/heartbeat.ts";
import { Cleanup } from "../shared/cleanup.ts";
import { defaultPrefix, laneKeys } from "../shared/keys.ts";
import { laneName } from "../shared/lane.ts";
import { openLaneQueue } from "../shared/lane-queue.ts";
import {
  producedRuns,
  readHeartbeats,
  readLaneState,
  type LanePause,
} from "../shared/lane-state.ts";
import { openState } from "../shared/open-store.ts";
import type { RedisClient } from "../shared/redis.ts";
import type { Registration } from "../shared/registration.ts";
import { restingState, takenBack } from "../shared/resting-state.ts";
import type { RunFile, RunSummary } from "../shared/run-file.ts";
import { listLanes } from "../shared/steer.ts";
import { readSteering } from "../shared/steering.ts";
import type { PlaceAccess } from "../producer/open-place.ts";
import { readRetries } from "../monitor/retries.ts";
import { isAtRest, measureRun, type RunMeasures } from "../monitor/run-view.ts";
import { isS3Location } from "../shared/s3-location.ts";
import type { FoundRun } from "./find-run.ts";
import type { SeenRuns } from "./seen-runs.ts";

/** A run as `status` shows it. */
export interface RunStatus extends Pick<
  Registration,
  "run" | "round" | "reason" | "host" | "location"
> {
  /** `interrupted`: it did not end, and no producer feeds it now. */
  state: Registration["state"] | RunSummary["state"] | "interrupted";
  /** What is odd about it, and what to do. */
  note?: string;
  /** Who makes its images: its own process (`run`) or others (`enqueue`); known where its directory can be seen from here. */
  workers?: RunFile["workers"];
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
  seenRuns: SeenRuns,
): Promise<LaneStatus[]> {
  const lanes = await listLanes(redis, defaultPrefix);
  const all = await Promise.all(lanes.map((lane) => readLane(redis, lane, seenRuns)));
  return run === undefined
    ? all
    : all.filter(({ runs }) => runs.some((known) => known.run === run));
}

async function readLane(redis: RedisClient, lane: string, seenRuns: SeenRuns): Promise<LaneStatus> {
  const keys = laneKeys(defaultPrefix, lane);
  const { pause, holdMs, runs } = await readLaneState(redis, keys);
  const workers = await readHeartbeats(redis, keys);
  const queue = openLaneQueue(lane, keys, redis);
  const jobs = await queue.getJobCounts("active", "wait", "delayed", "waiting-children");
  const retries = await waitingRetries(redis, queue);
  await queue.close();
  const produced = await producedRuns(redis, keys, runs.keys());
  const measured = await Promise.all(
    Array.from(runs.values(), (run) => runStatus(run, produced.has(run.run), seenRuns)),
  );
  if (isAtRest({ pause, holdMs }, jobs))
    for (const { progress } of measured) if (progress) progress.etaSeconds = undefined;
  return { lane, pause: pause ?? null, holdMs, jobs, retries, runs: measured, workers };
}

async function waitingRetries(redis: RedisClient, queue: Queue): Promise<LaneStatus["retries"]> {
  const { retries } = await readRetries(redis, queue);
  const waiting = retries.filter(({ state }) => state !== "active");
  const due = waiting.flatMap(({ dueAt }) => dueAt ?? []);
  return { waiting: waiting.length, nextAt: due.length > 0 ? Math.min(...due) : null };
}

async function runStatus(
  registration: Registration,
  hasProducer: boolean,
  seenRuns: SeenRuns,
): Promise<RunStatus> {
  const { run, location, state } = registration;
  const seen = await seenRuns.look(location);
  const isInterrupted = state === "running" && !hasProducer;
  // Nothing is left to be done for a run that is cancelled.
  const isGone =
    !seen && state !== "cancelled" && registration.host === hostname() && !isS3Location(location);
  const status: RunStatus = {
    ...registration,
    ...(isInterrupted && { state: "interrupted" }),
    ...((isInterrupted || isGone) && { note: noteOf(registration, hasProducer, isGone) }),
  };
  // Another host's path may be another run's here.
  if (seen?.file.id !== run) return status;
  const { workers } = seen.file;
  if (seen.indexed < 1) return { ...status, workers };
  return { ...status, workers, progress: measureRun(seen, status.state === "running") };
}

function noteOf({ run, location }: Registration, hasProducer: boolean, isGone: boolean): string {
  if (!isGone) return `no producer has it open: \`imagemill resume ${location}\` goes on`;
  const gone = `its directory is gone from ${location}`;
  if (hasProducer) return `${gone}: it waits until that is back`;
  return `${gone}: \`imagemill cancel ${run}\` takes what is left of it out of Redis`;
}

/** A run that no Redis knows: what its own files say of it. */
export async function readStopped(
  { location, run }: FoundRun,
  { s3 }: PlaceAccess,
): Promise<LaneStatus> {
  await using stack = new Cleanup();
  const steering = await readSteering(await openState(location, s3, stack));
  const { id, round, host, summary } = run;
  const { state = "stopped", reason, isTakenBack } = restingState(run, steering);
  const status: RunStatus = {
    run: id,
    round,
    state,
    ...(reason !== undefined && { reason }),
    ...(isTakenBack && { note: takenBack(location) }),
    host,
    location,
    summary,
  };
  const lane = laneName(run.profile, run.model);
  const retries = { waiting: 0, nextAt: null };
  return { lane, pause: null, holdMs: 0, jobs: {}, retries, runs: [status], workers: [] };
}
