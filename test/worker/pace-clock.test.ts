import { describe, expect, test } from "vitest";
import { readLaneState } from "../../shared/lane-state.ts";
import type { RedisClient } from "../../shared/redis.ts";
import { Pace } from "../../worker/pace.ts";
import { connectedRedis } from "../helpers/connected-redis.ts";
import { newLane, nothing, refusal } from "./pace-requests.ts";

let redis: RedisClient;
connectedRedis("worker", (client) => (redis = client));

describe("where Redis is replaced by one whose clock is behind", () => {
  const behindMs = 60_000;

  test("a limit is kept as if no time had passed, and not for the minute longer", async () => {
    let now = 1_000_000;
    const pace = new Pace(redis, newLane(), "w", () => now);
    const call = { ...nothing, limits: { imagesPerMinute: 60 }, images: [5] };
    expect((await pace.take(call)).calls).toBe(1);
    const before = await pace.take(call);
    expect(before).toMatchObject({ calls: 0, why: "rate" });
    now -= behindMs;
    expect(await pace.take(call)).toEqual(before);
    now += before.waitMs;
    expect((await pace.take(call)).calls).toBe(1);
  });

  test("a hold ends when the provider asked for, and a refusal after it still slows the lane", async () => {
    let now = 1_000_000;
    const pace = new Pace(redis, newLane(), "w", () => now);
    await pace.take({ ...nothing, images: [1] });
    await pace.refused({ ...refusal, retryAfterMs: 8_000 });
    now -= behindMs;
    const { waitMs, imagesPerMinute } = await pace.take({ ...nothing, images: [1] });
    expect(waitMs).toBe(8_000);
    now += 9_000;
    expect((await pace.take({ ...nothing, images: [1] })).calls).toBe(1);
    await pace.refused(refusal);
    expect((await pace.take({ ...nothing, images: [] })).imagesPerMinute).toBeLessThan(
      imagesPerMinute,
    );
  });

  test("the key that holds the lane gets the time that is left, though it was kept by the clock of before", async () => {
    const keys = newLane();
    let now = 1_000_000;
    const pace = new Pace(redis, keys, "w", () => now);
    await pace.refused({ ...refusal, retryAfterMs: 8_000 });
    await redis.pexpire(keys.hold, 8_000 + behindMs);
    now -= behindMs;
    await pace.take({ ...nothing, images: [] });
    expect((await readLaneState(redis, keys)).holdMs).toBeLessThanOrEqual(8_000);
  });

  test("calls of workers that are gone do not count for the minute longer", async () => {
    const keys = newLane();
    let now = 1_000_000;
    const ask = (worker: string) =>
      new Pace(redis, keys, worker, () => now).take({
        ...nothing,
        images: Array.from({ length: 10 }, () => 1),
      });
    expect((await ask("gone")).calls).toBe(10);
    expect((await ask("other")).calls).toBe(0);
    now -= behindMs;
    expect((await ask("other")).calls).toBe(10);
  });
});
