import { setTimeout as delay } from "node:timers/promises";
import { laneKeys, lanesKey } from "./keys.ts";
import { openLaneQueue } from "./lane-queue.ts";
import { pauseLane, unpauseLane } from "./lane-state.ts";
import { plural } from "./quantity.ts";
import type { RedisClient } from "./redis.ts";
import { refuseNewer } from "./newer-version.ts";
import { Registration, REGISTRATION_VERSION } from "./registration.ts";
import { removePromptJobs, runJobs } from "./run-jobs.ts";
import { UsageError } from "./usage-error.ts";

/** How long a producer counts that has gone silent. */
export const producerTtlMs = 10_000;
const dropLimitMs = 60_000;
const dropAgainMs = 250;

/** A run as one of the lanes of a Redis knows it. */
export interface RegisteredRun {
  lane: string;
  registration: Registration;
}

/** All lanes that producers have opened on this Redis. */
export async function listLanes(redis: RedisClient, prefix: string): Promise<string[]> {
  return Object.keys(await redis.hgetall(lanesKey(prefix))).toSorted();
}

/**
 * The run's registration, in whichever lane it is; undefined where no producer has it open or stopped it early.
 * @throws NewerVersionError where a newer version registered it
 */
export async function findRegisteredRun(
  redis: RedisClient,
  prefix: string,
  run: string,
): Promise<RegisteredRun | undefined> {
  for (const lane of await listLanes(redis, prefix)) {
    const text = await redis.hget(laneKeys(prefix, lane).runs, run);
    if (text === null) continue;
    const value: unknown = JSON.parse(text);
    refuseNewer(`the registration of run ${run}`, value, REGISTRATION_VERSION);
    return { lane, registration: Registration.parse(value) };
  }
  return undefined;
}

/** Changes a run's state: workers see it before their next call, the producer within half a second. */
export async function setRunState(
  redis: RedisClient,
  prefix: string,
  { lane, registration }: RegisteredRun,
  state: Registration["state"],
  reason: string | undefined,
): Promise<void> {
  const { reason: _, ...rest } = registration;
  const changed: Registration = { ...rest, state, ...(reason !== undefined && { reason }) };
  await redis.hset(laneKeys(prefix, lane).runs, registration.run, JSON.stringify(changed));
}

/** Whether a living producer has the run open. */
export async function hasProducer(
  redis: RedisClient,
  prefix: string,
  { lane, registration }: RegisteredRun,
): Promise<boolean> {
  return (await redis.exists(laneKeys(prefix, lane).producer(registration.run))) === 1;
}

/**
 * Takes all jobs of a cancelled run out of its lane, unless a living producer does: then false. What is in work ends by
 * itself, since workers see that the run is cancelled; a job whose worker died is free after the time of its lock.
 * @throws UsageError where workers still hold jobs after a minute
 */
export async function dropRunJobs(
  redis: RedisClient,
  prefix: string,
  { lane, registration }: RegisteredRun,
): Promise<boolean> {
  const keys = laneKeys(prefix, lane);
  // A producer that died counts as living until its key is gone; one that lives ends the run meanwhile.
  const deadline = Date.now() + producerTtlMs + 1_000;
  while ((await redis.exists(keys.producer(registration.run))) === 1) {
    if (Date.now() > deadline) return false;
    await delay(dropAgainMs);
  }
  const queue = openLaneQueue(lane, keys, redis);
  try {
    for (const end = Date.now() + dropLimitMs; ;) {
      let held = 0;
      for (const [prompt, ids] of await runJobs(queue, registration.run)) {
        if (!(await removePromptJobs(queue, prompt, ids))) held += 1;
      }
      if (held === 0) return true;
      if (Date.now() > end)
        throw new UsageError(
          `${plural(held, "prompt of", "prompts of")} the cancelled run ${registration.run} ${held === 1 ? "is" : "are"} still in work: calls are finished, then their jobs leave Redis`,
        );
      await delay(dropAgainMs);
    }
  } finally {
    await queue.close();
  }
}

/** Stops all calls of a lane until {@link resumeLane}; its runs wait. */
export async function restLane(
  redis: RedisClient,
  prefix: string,
  lane: string,
  reason: string,
): Promise<void> {
  await pauseLane(redis, laneKeys(prefix, lane), { kind: "person", reason });
}

/** Ends a lane's pause, whoever set it, and its hold. */
export async function resumeLane(redis: RedisClient, prefix: string, lane: string): Promise<void> {
  await unpauseLane(redis, laneKeys(prefix, lane));
}
