import { laneKeys, lanesKey } from "./keys.ts";
import { pauseLane, unpauseLane } from "./lane-state.ts";
import type { RedisClient } from "./redis.ts";
import { Registration } from "./registration.ts";

/** A run as one of the lanes of a Redis knows it. */
export interface RegisteredRun {
  lane: string;
  registration: Registration;
}

/** All lanes that producers have opened on this Redis. */
export async function listLanes(redis: RedisClient, prefix: string): Promise<string[]> {
  return Object.keys(await redis.hgetall(lanesKey(prefix))).toSorted();
}

/** The run's registration, in whichever lane it is; undefined where no producer has it open or stopped it early. */
export async function findRegisteredRun(
  redis: RedisClient,
  prefix: string,
  run: string,
): Promise<RegisteredRun | undefined> {
  for (const lane of await listLanes(redis, prefix)) {
    const text = await redis.hget(laneKeys(prefix, lane).runs, run);
    if (text !== null) return { lane, registration: Registration.parse(JSON.parse(text)) };
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
