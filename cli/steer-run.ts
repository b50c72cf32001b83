import { existsSync } from "node:fs";
import { stat } from "node:fs/promises";
import { join } from "node:path";
import { openRun } from "../producer/open-run.ts";
import { statePaths } from "../producer/run-directory.ts";
import { RunInUseError } from "../producer/run-lock.ts";
import { Cleanup } from "../shared/cleanup.ts";
import { defaultPrefix } from "../shared/keys.ts";
import type { RedisClient } from "../shared/redis.ts";
import { parseRedisTarget, type RedisTarget } from "../shared/redis-target.ts";
import { dropRunJobs, findRegisteredRun, hasProducer, setRunState } from "../shared/steer.ts";
import { writeSteering } from "../shared/steering.ts";
import { UsageError } from "../shared/usage-error.ts";
import { startEmbeddedRedis } from "./embedded-redis.ts";
import { lookForRun, runIn, type FoundRun } from "./find-run.ts";
import type { Io } from "./io.ts";
import { createLog } from "./logger.ts";
import { redisOfRun, sharedRedis, withRedis } from "./queue-access.ts";
import { Terminal } from "./terminal.ts";

/** What can be done to a run, and the state that it is in afterwards. */
export const steeredStates = { pause: "paused", unpause: "running", cancel: "cancelled" } as const;
export type SteerAction = keyof typeof steeredStates;

/** What is known of a run once it is steered. */
interface Steered {
  id: string;
  /** Its directory, where that can be seen from here. */
  found: FoundRun | undefined;
  /** A producer has it open, and sees to the rest. */
  isLed: boolean;
}

/**
 * Steers a run by id or directory, whether or not a producer has it open: in its directory, where that can be seen from
 * here, and in Redis, where it is known.
 * @throws UsageError where it is found in neither
 */
export async function steerRun(
  io: Io,
  action: SteerAction,
  text: string,
  reason: string | undefined,
): Promise<void> {
  const found = await lookForRun(text);
  const target = await redisOfRun(io, found?.directory);
  // Without a directory it can only be found in a Redis.
  if (!found && !target) await sharedRedis(io);
  const state = steeredStates[action];
  if (found && state !== "running") await refuseFinished(found, action);
  let steered: Steered = { id: found?.run.id ?? text, found, isLed: false };
  if (target) {
    steered = await withRedis(io, found?.directory, (redis) =>
      steerInRedis(redis, steered, state, reason),
    );
  } else await writeSteering(found!.directory, state, reason);
  if (action === "cancel" && !steered.isLed) await endCancelled(io, steered, target);
  else io.stdout.write(`run ${steered.id} is ${state}${whatNext(action, steered)}\n`);
}

/** @throws UsageError where nothing of the run is left to be done */
async function refuseFinished({ directory, run }: FoundRun, action: SteerAction): Promise<void> {
  const isFinished = run.summary?.state.startsWith("completed") === true;
  // Lines after those that the output files stand for, or a new round, are of a run that goes on.
  if (!isFinished || run.outputsAt !== (await stat(statePaths(directory).journal)).size) return;
  throw new UsageError(
    `run ${run.id} is finished (${run.summary!.state}): there is nothing to ${action}`,
  );
}

async function steerInRedis(
  redis: RedisClient,
  { id, ...known }: Steered,
  state: (typeof steeredStates)[SteerAction],
  reason: string | undefined,
): Promise<Steered> {
  const before = await findRegisteredRun(redis, defaultPrefix, id);
  const found = known.found ?? (before && (await runAt(before.registration.location, id)));
  if (!found && !before)
    throw new UsageError(
      `run ${id} is not under way on this Redis (see \`imagemill status\`), and no directory of that name or id is here`,
    );
  // The directory first: a producer that starts now registers the run first and looks there then.
  if (found) await writeSteering(found.directory, state, reason);
  const registered = await findRegisteredRun(redis, defaultPrefix, id);
  if (!registered) return { id, found, isLed: false };
  await setRunState(redis, defaultPrefix, registered, state, reason);
  // Who sees the directory learns by the run's lock whether a producer lives, and settles what is left in Redis, too.
  if (state === "cancelled")
    return { id, found, isLed: !found && !(await dropRunJobs(redis, defaultPrefix, registered)) };
  return { id, found, isLed: await hasProducer(redis, defaultPrefix, registered) };
}

/** The run at a place that another host told of, where that is the same folder here. */
async function runAt(location: string, id: string): Promise<FoundRun | undefined> {
  const found = await runIn(location).catch(() => undefined);
  return found?.run.id === id ? found : undefined;
}

function whatNext(action: SteerAction, { id, found, isLed }: Steered): string {
  if (isLed) return action === "cancel" ? ": its producer ends it" : "";
  const name = found?.directory ?? id;
  return action === "pause"
    ? `: no producer has it open, its next start waits until \`imagemill unpause ${name}\``
    : `: no producer has it open, \`imagemill resume ${name}\` goes on with it`;
}

/**
 * Ends a cancelled run that no producer has open: settles what came back, takes its jobs out of Redis and writes its
 * output files.
 */
async function endCancelled(
  io: Io,
  { id, found }: Steered,
  target: RedisTarget | undefined,
): Promise<void> {
  const hasPrivateRedis = found && existsSync(join(statePaths(found.directory).state, "redis"));
  if (!found || (!target && !hasPrivateRedis)) {
    const where = found ? "no Redis of it is known here" : "its directory cannot be seen from here";
    io.stdout.write(`run ${id} is cancelled: ${where}, its next start writes its output files\n`);
    return;
  }
  const { directory, run } = found;
  await using stack = new Cleanup();
  const embedded = async () =>
    parseRedisTarget(stack.use(await startEmbeddedRedis(statePaths(directory).state, io.env)).url);
  try {
    const ending = await openRun({
      out: directory,
      settings: run,
      passThrough: true,
      log: createLog(new Terminal(io.stderr), io.env["IMAGEMILL_LOG_LEVEL"] ?? "warn"),
      queue: async () => ({ redis: target ?? (await embedded()), isPrivate: target === undefined }),
    });
    const { state, prompts } = await ending.finished;
    if (state !== "cancelled") await writeSteering(directory, "running");
    io.stdout.write(`run ${id} is ${state}: ${prompts.total} prompts are settled, ${directory}\n`);
  } catch (error) {
    if (!(error instanceof RunInUseError)) throw error;
    io.stdout.write(`run ${id} is cancelled: its producer ends it\n`);
  }
}
