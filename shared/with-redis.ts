import { hasNoRoom, isQueueError } from "./queue-error.ts";
import { connectRedis, type RedisClient, type RedisSource } from "./redis.ts";
import { redisMessage } from "./redis-message.ts";
import { describeRedis } from "./redis-target.ts";
import { UsageError } from "./usage-error.ts";

/**
 * Connects for one piece of work, does it and disconnects. `refuse` may throw what it knows better of Redis' errors.
 * @throws UsageError where Redis does not answer, or has no room to write
 */
export async function withRedisAt<T>(
  source: RedisSource,
  work: (redis: RedisClient) => Promise<T>,
  refuse: (error: unknown) => void = () => undefined,
): Promise<T> {
  const redis = connectRedis(source, { role: "producer", name: "imagemill-command" });
  let lastError: unknown;
  redis.on("error", (error) => (lastError = error));
  try {
    return await work(redis);
  } catch (error) {
    if (!isQueueError(error)) throw error;
    refuse(error);
    // What the connection said ("connect ECONNREFUSED …") says more than what became of the command.
    const cause = lastError ?? error;
    refuse(cause);
    const where = "kind" in source ? ` at ${describeRedis(source)}` : "";
    const what = hasNoRoom(error)
      ? "has no room to write (give it disk and memory)"
      : "does not answer";
    throw new UsageError(`Redis${where} ${what}: ${redisMessage(cause)}`, { cause });
  } finally {
    redis.disconnect();
  }
}
