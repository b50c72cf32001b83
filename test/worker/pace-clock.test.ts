import { describe, expect, test } from "vitest";
import { readLaneState, unpauseLane } from "../../shared/lane-state.ts";
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

const call = { ...nothing, images: [1] };
const held = { calls: 0, why: "hold" };

/** A lane that is held for ten seconds, by Redis' own clock. */
async function heldLane() {
  const keys = newLane();
  const pace = new Pace(redis, keys, "w");
  await pace.take(call);
  await pace.refused({ ...refusal, retryAfterMs: 10_000 });
  return { keys, pace };
}

describe("a hold that a worker knows", () => {
  test("is kept where Redis was emptied", async () => {
    const { keys, pace } = await heldLane();
    await redis.del(keys.hold, keys.pace, keys.inFlight);
    expect(await pace.keep(8_000, "a refusal")).toBe(8_000);
    expect(await new Pace(redis, keys, "other").take(call)).toMatchObject(held);
    expect(await redis.pttl(keys.hold)).toBeGreaterThan(7_000);
  });

  test("is kept where others have asked an emptied Redis before", async () => {
    const { keys, pace } = await heldLane();
    await redis.del(keys.hold, keys.pace, keys.inFlight);
    const other = new Pace(redis, keys, "other");
    expect(await other.take(call)).toMatchObject({ calls: 1 });
    expect(await pace.keep(8_000, "a refusal")).toBe(8_000);
    expect(await other.take(call)).toMatchObject(held);
  });

  test("is over where somebody has ended it before its time", async () => {
    const { keys, pace } = await heldLane();
    await unpauseLane(redis, keys);
    expect(await pace.keep(9_900, "a refusal")).toBe(0);
    expect(await pace.take(call)).not.toMatchObject(held);
    expect(await redis.exists(keys.hold)).toBe(0);
  });

  test("is left as it is where Redis knows as much of it", async () => {
    const { keys, pace } = await heldLane();
    const leftMs = await pace.keep(9_000, "a refusal");
    expect(leftMs).toBeGreaterThan(9_000);
    expect(leftMs).toBeLessThanOrEqual(10_000);
    expect(await redis.get(keys.hold)).toBe(refusal.message);
  });

  test("is kept where Redis' clock was set forward by more than is left of it, or by less", async () => {
    for (const aheadMs of [60_000, 5_000]) {
      let now = 1_000_000;
      const pace = new Pace(redis, newLane(), "w", () => now);
      await pace.take(call);
      await pace.refused({ ...refusal, retryAfterMs: 10_000 });
      now += 1_000 + aheadMs;
      expect(await pace.keep(9_000, "a refusal")).toBe(9_000);
      expect(await pace.take(call)).toMatchObject({ ...held, waitMs: 9_000 });
      now += 9_000;
      expect(await pace.take(call)).toMatchObject({ calls: 1 });
    }
  });
});
