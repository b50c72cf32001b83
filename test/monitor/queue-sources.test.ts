import { expect, test } from "vitest";
import { FolderSource } from "../../monitor/folder-source.ts";
import { KnownRun } from "../../monitor/known-run.ts";
import { QueueSources } from "../../monitor/queue-sources.ts";
import { Cleanup } from "../../shared/cleanup.ts";
import { silentLog } from "../../shared/log.ts";
import { connectRedis } from "../../shared/redis.ts";
import { parseRedisTarget } from "../../shared/redis-target.ts";
import { startTestRedis } from "../helpers/redis.ts";
import { testRun } from "../helpers/test-run.ts";
import { until } from "../helpers/until.ts";

test("the private Redis of a run is let go once its run directory is gone", async () => {
  await using stack = new Cleanup();
  const server = stack.use(await startTestRedis());
  const target = parseRedisTarget(server.url);
  const redis = connectRedis(target, { role: "producer" });
  stack.defer(() => redis.disconnect());
  const sources = new QueueSources({
    shared: undefined,
    privateRedis: async () => target,
    prefix: "test",
    log: silentLog,
  });
  stack.defer(() => sources.close());
  const readers = async () => String(await redis.client("LIST")).split("imagemill-monitor").length;
  const alone = await readers();
  const run = new KnownRun(new FolderSource("/nowhere"), testRun());
  await sources.see([run]);
  expect(await readers()).toBe(alone + 1);
  await until(async () => {
    await sources.see([]);
    expect(await readers()).toBe(alone);
  });
});
