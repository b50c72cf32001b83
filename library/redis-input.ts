import type { RedisSource } from "../shared/redis.ts";
import { parseRedisTarget } from "../shared/redis-target.ts";

/** Where the queue is: a URL, its parts, or an ioredis client, which stays the caller's (connections like it are made). */
export type RedisInput = string | RedisSource;

/**
 * Gives a function that tells where Redis is once it is needed. What is wrong with a URL is found at once.
 * @throws UsageError where a URL is malformed
 */
export function redisAsker(
  redis: RedisInput | (() => Promise<RedisInput>),
): () => Promise<RedisSource> {
  if (typeof redis === "function") return async () => redisSource(await redis());
  const source = redisSource(redis);
  return async () => source;
}

/** @throws UsageError where a URL is malformed */
export function redisSource(redis: RedisInput): RedisSource {
  return typeof redis === "string" ? parseRedisTarget(redis) : redis;
}
