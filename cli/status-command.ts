import type { Command } from "commander";
import type { Heartbeat } from "../shared/heartbeat.ts";
import { defaultPrefix, laneKeys } from "../shared/keys.ts";
import { openLaneQueue } from "../shared/lane-queue.ts";
import { readHeartbeats, readLaneState, type LanePause } from "../shared/lane-state.ts";
import type { RedisClient } from "../shared/redis.ts";
import type { Registration } from "../shared/registration.ts";
import { listLanes } from "../shared/steer.ts";
import { hasCode } from "../shared/caught.ts";
import { readRunFile } from "../shared/run-file.ts";
import { EnvironmentCommand, type Io } from "./io.ts";
import { withRedis } from "./queue-access.ts";
import { endAtSignal } from "./signals.ts";
import { Terminal } from "./terminal.ts";
import { repeat } from "../shared/repeat.ts";

const watchMs = 1_000;

/** What one lane is doing. */
interface LaneStatus {
  lane: string;
  pause: LanePause | null;
  /** Milliseconds that the lane has to wait because of a rate limit. */
  holdMs: number;
  /** Jobs by BullMQ's states. */
  jobs: Record<string, number>;
  runs: Registration[];
  workers: Heartbeat[];
}

/** `imagemill status [RUN]`: runs, lanes and workers. */
export function statusCommand(io: Io): Command {
  const command = new EnvironmentCommand("status")
    .description("show lanes with their jobs, runs and workers")
    .argument("[run]", "only this run: directory or id")
    .option("--watch", "show it anew every second")
    .option("--json", "print it as JSON")
    .action(async (run: string | undefined, { watch, json }: { watch?: true; json?: true }) => {
      const file = run === undefined ? undefined : await readRunFile(run).catch(missing);
      const id = file?.id ?? run;
      await withRedis(io, file && run, async (redis) => {
        const show = async () => {
          const lanes = await readStatus(redis, id);
          const clear = watch && io.stdout.isTTY ? "\u001b[2J\u001b[H" : "";
          io.stdout.write(clear + (json ? `${JSON.stringify(lanes)}\n` : statusText(lanes)));
        };
        await show();
        if (watch) await watchUntilSignal(io, show);
      });
    });
  return command;
}

function missing(error: unknown): undefined {
  if (hasCode(error, "ENOTDIR")) return undefined;
  throw error;
}

async function watchUntilSignal(io: Io, show: () => Promise<void>): Promise<void> {
  const ended = new AbortController();
  const watching = repeat(watchMs, ended.signal, show, (error) =>
    io.stderr.write(`${error.message}\n`),
  );
  await endAtSignal(
    new Terminal(io.stderr),
    () => 0,
    async () => {
      ended.abort();
      await watching;
    },
  );
}

async function readStatus(redis: RedisClient, run: string | undefined): Promise<LaneStatus[]> {
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

function statusText(lanes: readonly LaneStatus[]): string {
  if (lanes.length === 0) return "no runs\n";
  return `${lanes.flatMap(laneLines).join("\n")}\n`;
}

function laneLines({ lane, pause, holdMs, jobs, runs, workers }: LaneStatus): string[] {
  const counts = Object.entries(jobs).map(([state, count]) => `${count} ${state}`);
  return [
    `lane ${lane}  ${counts.join("  ")}`,
    ...(pause ? [`  paused (${pause.kind}): ${pause.reason}`] : []),
    ...(holdMs > 0 ? [`  waits ${Math.ceil(holdMs / 1000)} s for the rate limit`] : []),
    ...runs.map(({ run, round, state, host, location, reason }) => {
      const why = reason === undefined ? "" : ` (${reason})`;
      return `  run ${run}  ${state}${why}  round ${round}  ${host}:${location}`;
    }),
    ...workers.map(({ worker, calls, concurrency, fit, version, rssBytes, waiting }) => {
      const doing = waiting === undefined ? "" : `  waiting: ${waiting}`;
      const health = fit ? "" : "  its key is refused";
      const memory = `${Math.round(rssBytes / 1e6)} MB`;
      return `  worker ${worker}  ${calls.length}/${concurrency} in flight  ${memory}  v${version}${health}${doing}`;
    }),
    ...(workers.some(({ fit }) => fit)
      ? []
      : ["  no living worker serves this lane: start `imagemill work`"]),
  ];
}
