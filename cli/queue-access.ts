import { statePaths } from "../producer/run-directory.ts";
import { connectRedis, limitErrors, type RedisClient } from "../shared/redis.ts";
import { parseRedisTarget, type RedisTarget } from "../shared/redis-target.ts";
import { UsageError } from "../shared/usage-error.ts";
import { livingEmbeddedRedis } from "./embedded-redis.ts";
import type { Io } from "./io.ts";
import { readRedisTarget } from "./redis-environment.ts";

/** The Redis that `REDIS_URL` names. @throws UsageError where none is named */
export async function sharedRedis(io: Io): Promise<RedisTarget> {
  const target = await readRedisTarget(io.env);
  if (target) return target;
  throw new UsageError(
    "expected REDIS_URL, got nothing: set it to the Redis that producers and workers share, such as redis://host:6379",
  );
}

/** The Redis of a run: its private one while that is up, else the one that `REDIS_URL` names. */
async function redisOfRun(io: Io, directory: string | undefined): Promise<RedisTarget> {
  const url = directory && (await livingEmbeddedRedis(statePaths(directory).state));
  return url ? parseRedisTarget(url) : await sharedRedis(io);
}

/** Connects for one command, does the work and disconnects. */
export async function withRedis<T>(
  io: Io,
  directory: string | undefined,
  work: (redis: RedisClient) => Promise<T>,
): Promise<T> {
  const redis = connectRedis(await redisOfRun(io, directory), {
    role: "producer",
    name: "imagemill-cli",
  });
  const stop = limitErrors(redis, (message) => io.stderr.write(`Redis: ${message}\n`));
  try {
    return await work(redis);
  } finally {
    stop();
    redis.disconnect();
  }
}
