import { expect, test } from "vitest";
import { LaneWatch } from "../../producer/lane-watch.ts";
import { startTestRedis } from "../helpers/redis.ts";
import { openProducerStage } from "./producer-stage.ts";

test("a Redis that answers but refuses to write for too long ends the run", async () => {
  await using server = await startTestRedis();
  await using stage = await openProducerStage(server);
  const watch = new LaneWatch(stage.run.id, stage.lane, stage.directory, 0);
  expect(await watch.look()).toBeUndefined();
  await stage.redis.config("SET", "maxmemory", "1");
  expect(await watch.look()).toMatchObject({
    state: "stopped",
    text: expect.stringMatching(/Redis has taken nothing for 0 s: OOM/),
  });
});
