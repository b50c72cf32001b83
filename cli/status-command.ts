import type { Command } from "commander";
import { notUnderWay } from "../shared/steer-run.ts";
import { repeat } from "../shared/repeat.ts";
import { printable } from "../shared/printable.ts";
import { UsageError } from "../shared/usage-error.ts";
import { lookForRun, notHere, runsHere } from "./find-run.ts";
import { EnvironmentCommand, type Io } from "./io.ts";
import { readLanes, readStopped, type LaneStatus } from "./lane-status.ts";
import { placeAccess } from "./place-access.ts";
import { redisOfRun, withRedis } from "./queue-access.ts";
import { SeenRuns } from "./seen-runs.ts";
import { signalled } from "./signals.ts";
import { statusText } from "./status-text.ts";

const watchMs = 1_000;

const help = `
Shows the lanes of the Redis that REDIS_URL names. A run with a Redis of its own
is found by its directory, or by its id among runs/; without REDIS_URL and a
run, all runs among runs/ are shown.`;

/** `imagemill status [RUN]`: runs, lanes and workers. */
export function statusCommand(io: Io): Command {
  const command = new EnvironmentCommand("status")
    .description("show lanes with their jobs, runs and workers")
    .argument("[run]", "only this run: directory, s3:// location or id")
    .option("--watch", "show it anew every second")
    .option("--json", "print it as JSON")
    .addHelpText("after", help)
    .action(async (run: string | undefined, { watch, json }: { watch?: true; json?: true }) => {
      await using seen = new SeenRuns(placeAccess(io.env).s3);
      const show = async () => {
        const lanes = await readStatus(io, run, seen);
        const clear = watch && io.stdout.isTTY ? "\u001b[2J\u001b[H" : "";
        io.stdout.write(
          clear + (json ? `${JSON.stringify(lanes)}\n` : printable(statusText(lanes))),
        );
      };
      await show();
      if (watch) await watchUntilSignal(io, show);
    });
  return command;
}

async function readStatus(io: Io, run: string | undefined, seen: SeenRuns): Promise<LaneStatus[]> {
  if (run !== undefined) return await statusOf(io, run, seen);
  const shared = await redisOfRun(io, undefined);
  if (shared) return await withRedis(shared, (redis) => readLanes(redis, undefined, seen));
  const runs = await runsHere(placeAccess(io.env));
  return (await Promise.all(runs.map(({ directory }) => statusOf(io, directory, seen)))).flat();
}

/** A run in the Redis where it is under way, else as its directory knows it. */
async function statusOf(io: Io, text: string, seen: SeenRuns): Promise<LaneStatus[]> {
  const access = placeAccess(io.env);
  const found = await lookForRun(text, access);
  const target = await redisOfRun(io, found?.directory);
  if (!found && !target) throw notHere(text);
  const id = found?.run.id ?? text;
  const lanes = target ? await withRedis(target, (redis) => readLanes(redis, id, seen)) : [];
  if (lanes.length > 0) return lanes;
  if (!found) throw new UsageError(notUnderWay(id));
  return [await readStopped(found, access)];
}

async function watchUntilSignal(io: Io, show: () => Promise<void>): Promise<void> {
  const ended = new AbortController();
  const watching = repeat(watchMs, ended.signal, show, (error) =>
    io.stderr.write(`${printable(error.message)}\n`),
  );
  await signalled();
  ended.abort();
  await watching;
}
