import { statePaths } from "../producer/run-directory.ts";
import type { RedisClient } from "../shared/redis.ts";
import { parseRedisTarget, type RedisTarget } from "../shared/redis-target.ts";
import { UsageError } from "../shared/usage-error.ts";
import { withRedisAt } from "../shared/with-redis.ts";
import { livingEmbeddedRedis } from "./embedded-redis.ts";
import type { Io } from "./io.ts";
import { refuse } from "./prepare-redis.ts";
import { readRedisTarget } from "./redis-environment.ts";

/** The Redis that `REDIS_URL` names. @throws UsageError where none is named */
export async function sharedRedis(io: Io): Promise<RedisTarget> {
  const target = await readRedisTarget(io.env);
  if (target) return target;
  throw new UsageError(
    "expected REDIS_URL, got nothing: set it to the Redis that producers and workers share, such as redis://host:6379",
  );
}

/** The Redis of a run: its private one while that is up, else the one that `REDIS_URL` names, if any. */
export async function redisOfRun(
  io: Io,
  directory: string | undefined,
): Promise<RedisTarget | undefined> {
  const url = directory && (await livingEmbeddedRedis(statePaths(directory).state));
  return url ? parseRedisTarget(url) : await readRedisTarget(io.env);
}

/**
 * Connects for one command, does the work and disconnects.
 * @throws UsageError where Redis does not answer, or refuses
 */
export async function withRedis<T>(
  target: RedisTarget,
  work: (redis: RedisClient) => Promise<T>,
): Promise<T> {
  return await withRedisAt(target, work, { refuse: (error) => refuse(target, error) });
}
