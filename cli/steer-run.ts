import { existsSync } from "node:fs";
import { join } from "node:path";
import { openRun } from "../library/open-run.ts";
import { workFolder, type PlaceAccess } from "../producer/open-place.ts";
import { statePaths } from "../producer/run-directory.ts";
import { RunInUseError } from "../producer/run-lock.ts";
import { Cleanup } from "../shared/cleanup.ts";
import { plural } from "../shared/quantity.ts";
import { parseRedisTarget, type RedisTarget } from "../shared/redis-target.ts";
import { steerOver, type SteeredRun } from "../shared/steer-run.ts";
import { startEmbeddedRedis } from "./embedded-redis.ts";
import { lookForRun, notHere } from "./find-run.ts";
import type { Io } from "./io.ts";
import { createLog } from "./logger.ts";
import { placeAccess } from "./place-access.ts";
import { redisOfRun, withRedis } from "./queue-access.ts";
import { Terminal } from "./terminal.ts";

/** What can be done to a run, and the state that it is in afterwards. */
export const steeredStates = { pause: "paused", unpause: "running", cancel: "cancelled" } as const;
export type SteerAction = keyof typeof steeredStates;

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
  const access = placeAccess(io.env);
  const found = await lookForRun(text, access);
  const target = await redisOfRun(io, found?.directory);
  // Without a directory it can only be found in a Redis.
  if (!found && !target) throw notHere(text);
  const state = steeredStates[action];
  const wish = { run: found?.run.id ?? text, out: found?.location, s3: access.s3, state, reason };
  const steered = target
    ? await withRedis(target, (redis) => steerOver(redis, wish))
    : await steerOver(undefined, wish);
  if (action === "cancel" && !steered.isLed) await endCancelled(io, steered, access, target);
  else io.stdout.write(`run ${steered.id} is ${steered.state}${whatNext(steered)}\n`);
}

function whatNext({ id, out, state, isLed }: SteeredRun): string {
  if (isLed) return state === "cancelled" ? ": its producer ends it" : "";
  const name = out ?? id;
  return state === "paused"
    ? `: no producer has it open, its next start waits until \`imagemill unpause ${name}\``
    : `: no producer has it open, \`imagemill resume ${name}\` goes on with it`;
}

/**
 * Ends a cancelled run that no producer has open: settles what came back, takes its jobs out of Redis and writes its
 * output files.
 */
async function endCancelled(
  io: Io,
  { id, out }: SteeredRun,
  access: PlaceAccess,
  target: RedisTarget | undefined,
): Promise<void> {
  const folder =
    out === undefined ? undefined : statePaths(workFolder(out, access.cacheFolder)).state;
  const hasPrivateRedis = folder !== undefined && existsSync(join(folder, "redis"));
  if (folder === undefined || out === undefined || (!target && !hasPrivateRedis)) {
    const where =
      out === undefined ? "its directory cannot be seen from here" : "no Redis of it is known here";
    io.stdout.write(`run ${id} is cancelled: ${where}, its next start writes its output files\n`);
    return;
  }
  await using stack = new Cleanup();
  const embedded = async () =>
    parseRedisTarget(stack.use(await startEmbeddedRedis(folder, io.env)).url);
  try {
    const ending = await openRun({
      ...access,
      out,
      log: await createLog(new Terminal(io.stderr), io.env, "warn"),
      redis: async () => target ?? (await embedded()),
      isPrivateRedis: target === undefined,
    });
    const { state, prompts } = await ending.finished;
    io.stdout.write(
      `run ${id} is ${state}: ${plural(prompts.total, "prompt is", "prompts are")} settled, ${out}\n`,
    );
  } catch (error) {
    if (!(error instanceof RunInUseError)) throw error;
    io.stdout.write(`run ${id} is cancelled: its producer ends it\n`);
  }
}
