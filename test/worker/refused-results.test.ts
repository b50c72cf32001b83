import { expect, test } from "vitest";
import { startTestRedis } from "../helpers/redis.ts";
import { openTestLane } from "../helpers/test-lane.ts";
import { until } from "../helpers/until.ts";

test("a result that Redis had no room for comes with its calls once there is room", async () => {
  await using server = await startTestRedis();
  await using lane = await openTestLane(server, { simulator: { latencyMs: 300 } });
  const { redis, simulator } = lane;
  await lane.serve();
  await lane.add(0);
  await until(() => expect(simulator.ledger.inFlight).toBe(1));
  await redis.config("SET", "maxmemory", "1");
  await until(async () =>
    expect(await redis.info("commandstats")).toMatch(/cmdstat_xadd:.*rejected_calls=[1-9]/),
  );
  await redis.config("SET", "maxmemory", "0");
  const [result] = await lane.results(1);
  expect(result).toMatchObject({ state: "succeeded", attempts: [{ outcome: "ok", sent: true }] });
  expect(result!.images[0]).not.toHaveProperty("recovered");
  expect(simulator.ledger.calls).toBe(1);
});
