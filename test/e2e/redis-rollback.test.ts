import { Redis } from "ioredis";
import { expect, test } from "vitest";
import { startTestRedis } from "../helpers/redis.ts";
import { openStage, promptRows } from "../helpers/stage.ts";

const prompts = 60;

/**
 * A replica that lags, and an append-only file whose last second is missing, bring back jobs as waiting that were done, and
 * forget that anybody ever took them.
 */
test("a Redis that comes back with an older state has no image bought twice", async () => {
  await using server = await startTestRedis({ tcp: true });
  await using stage = await openStage({ latencyMs: 60 });
  stage.env["REDIS_URL"] = server.url;
  const dataset = stage.dataset(promptRows(prompts));
  const out = ["--out", stage.out, "--json"];
  const producer = stage.startCli("enqueue", dataset, "-m", "dall-e-3", "-n", "2", ...out);
  stage.startCli("work", "-c", "2");
  await stage.settled(2);
  const redis = new Redis(server.url);
  redis.on("error", () => {});
  await redis.save();
  redis.disconnect();
  await stage.settled(20);
  await server.kill();
  await server.start();
  // Started after it came back: this worker has not seen that it was away.
  stage.startCli("work", "-c", "2");
  const end = await producer.ended;
  expect(end.summary).toMatchObject({ state: "completed", images: prompts * 2 });
  expect(stage.simulator.ledger.calls).toBe(prompts * 2);
});
