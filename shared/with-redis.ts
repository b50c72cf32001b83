import { cutOff } from "./cut-off.ts";
import { defaultPrefix, lanesKey } from "./keys.ts";
import { hasNoRoom, isQueueError } from "./queue-error.ts";
import { connectRedis, type RedisClient, type RedisSource } from "./redis.ts";
import { redisMessage } from "./redis-message.ts";
import { RedisPulse } from "./redis-pulse.ts";
import { describeRedis } from "./redis-target.ts";
import { UsageError } from "./usage-error.ts";

/** A silence that is longer is not waited for: who gave a command sits before it. */
const silenceLimitMs = 5_000;

/** What {@link withRedisAt} may be told. */
export interface RedisVisit {
  /** Of the keys that may be read. Default `imagemill`. */
  prefix?: string | undefined;
  /** May throw what it knows better of Redis' errors. */
  refuse?: (error: unknown) => void;
}

/**
 * Connects for one piece of work, does it and disconnects.
 * @throws UsageError where Redis does not answer, also for five seconds in the middle of the work, or has no room to write
 */
export async function withRedisAt<T>(
  source: RedisSource,
  work: (redis: RedisClient) => Promise<T>,
  { prefix = defaultPrefix, refuse = () => undefined }: RedisVisit = {},
): Promise<T> {
  const where = "kind" in source ? ` at ${describeRedis(source)}` : "";
  const redis = connectRedis(source, { role: "producer", name: "imagemill-command" });
  let lastError: unknown;
  redis.on("error", (error) => (lastError = error));
  const pulse = new RedisPulse(redis, lanesKey(prefix));
  const silence = Promise.withResolvers<never>();
  let isGivenUp = false;
  const onTick = () => {
    if (isGivenUp || pulse.silentMs < silenceLimitMs) return;
    isGivenUp = true;
    silence.reject(new UsageError(pulse.describe(where)));
    cutOff(redis);
  };
  pulse.start(() => undefined, onTick);
  try {
    return await Promise.race([work(redis), silence.promise]);
  } catch (error) {
    if (!isGivenUp && !isQueueError(error)) throw error;
    refuse(error);
    // What the connection said ("connect ECONNREFUSED …") says more than what became of the command.
    const cause = lastError ?? error;
    refuse(cause);
    if (isGivenUp) throw error;
    const what = hasNoRoom(error)
      ? "has no room to write (give it disk and memory)"
      : "does not answer";
    throw new UsageError(`Redis${where} ${what}: ${redisMessage(cause)}`, { cause });
  } finally {
    pulse.stop();
    redis.disconnect();
  }
}
