import { expect, test } from "vitest";
import { startTestRedis } from "../helpers/redis.ts";
import { openTestLane } from "../helpers/test-lane.ts";
import { AnswerHold, watchedModels } from "../helpers/watched-model.ts";
import { until } from "../helpers/until.ts";

test("a result that Redis had no room for comes with its calls once there is room", async () => {
  await using server = await startTestRedis();
  await using lane = await openTestLane(server);
  const { redis, simulator } = lane;
  const hold = new AnswerHold();
  await lane.serve({ createModel: watchedModels(hold) });
  await lane.add(0);
  await until(() => expect(hold.held).toBe(1));
  await redis.config("SET", "maxmemory", "1");
  hold.release();
  await until(async () =>
    expect(await redis.info("commandstats")).toMatch(/cmdstat_xadd:.*rejected_calls=[1-9]/),
  );
  await redis.config("SET", "maxmemory", "0");
  const [result] = await lane.results(1);
  expect(result).toMatchObject({ state: "succeeded", attempts: [{ outcome: "ok", sent: true }] });
  expect(result!.images[0]).not.toHaveProperty("recovered");
  expect(simulator.ledger.calls).toBe(1);
});
