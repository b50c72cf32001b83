import { afterAll, beforeAll } from "vitest";
import { connectRedis, type RedisClient, type RedisConnectionOptions } from "../../shared/redis.ts";
import { parseRedisTarget } from "../../shared/redis-target.ts";
import { startTestRedis, type TestRedis } from "./redis.ts";

/** Gives the test file a client of a Redis server of its own before the first test, and ends both after the last. */
export function connectedRedis(
  role: RedisConnectionOptions["role"],
  take: (redis: RedisClient) => void,
): void {
  let server: TestRedis;
  let redis: RedisClient;
  beforeAll(async () => {
    server = await startTestRedis();
    redis = connectRedis(parseRedisTarget(server.url), { role });
    redis.on("error", () => {});
    take(redis);
  });
  afterAll(async () => {
    redis.disconnect();
    await server.close();
  });
}
