import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { readLaneState } from "../../shared/lane-state.ts";
import type { RedisClient } from "../../shared/redis.ts";
import { Pace } from "../../worker/pace.ts";
import { connectedRedis } from "../helpers/connected-redis.ts";
import { newLane, nothing, refusal } from "./pace-requests.ts";

let redis: RedisClient;
connectedRedis("worker", (client) => (redis = client));

/** What a lane has found out by two refusals, with so many of the calls between them turned away. */
async function measuredRate(turnedAway: number) {
  let now = 1_000_000;
  const pace = new Pace(redis, newLane(), "w", () => now);
  const take = async () =>
    await pace.take({ ...nothing, images: Array.from({ length: 10 }, () => 1) });
  await take();
  now += 100;
  await pace.refused(refusal);
  let granted = 0;
  for (let step = 0; step < 400; step++) {
    now += 50;
    granted += (await take()).calls;
  }
  for (let call = 0; call < turnedAway; call++) await pace.turnedAway(1);
  await pace.refused(refusal);
  return { granted, rate: (await take()).imagesPerMinute };
}

describe("a refusal", () => {
  test("slows the lane once for all calls that had started before", async () => {
    let now = 1_000_000;
    const pace = new Pace(redis, newLane(), "w", () => now);
    const images = Array.from({ length: 10 }, () => 1);
    await pace.take({ ...nothing, images });
    now += 1_000;
    await pace.refused(refusal);
    now += 2;
    const { imagesPerMinute } = await pace.take({ ...nothing, images: [] });
    expect(imagesPerMinute).toBeGreaterThan(0);
    for (let call = 0; call < 8; call++) await pace.refused({ ...refusal, ageMs: 900 });
    expect((await pace.take({ ...nothing, images: [] })).imagesPerMinute).toBe(imagesPerMinute);
    now += 1_500;
    await pace.refused(refusal);
    expect((await pace.take({ ...nothing, images: [] })).imagesPerMinute).toBeLessThan(
      imagesPerMinute,
    );
  });

  test("measures only what was let in: a call that was turned away by one of several hosts counts when it is made again", async () => {
    const all = await measuredRate(0);
    const half = await measuredRate(Math.floor(all.granted / 2));
    expect(half.granted).toBe(all.granted);
    expect(half.rate / all.rate).toBeCloseTo(0.5, 1);
  });

  test("lets one call go ahead of the others after its wait: there may be nothing for it yet", async () => {
    let now = 1_000_000;
    const pace = new Pace(redis, newLane(), "w", () => now);
    const images = Array.from({ length: 10 }, () => 1);
    await pace.take({ ...nothing, images });
    now += 100;
    await pace.refused(refusal);
    now += 1_000;
    expect((await pace.take({ ...nothing, images })).calls).toBe(1);
    now += 100;
    expect(await pace.take({ ...nothing, images })).toMatchObject({ calls: 0, why: "hold" });
    now += 150;
    expect((await pace.take({ ...nothing, images })).calls).toBeGreaterThan(0);
  });

  test("holds the lane for the time that it asks for, longer than a minute, too", async () => {
    const keys = newLane();
    const pace = new Pace(redis, keys, "w");
    expect(await pace.refused({ ...refusal, retryAfterMs: 90_000.2 })).toBe(90_001);
    const { holdMs } = await readLaneState(redis, keys);
    expect(holdMs).toBeGreaterThan(80_000);
    expect(holdMs).toBeLessThanOrEqual(90_001);
    expect(await redis.get(keys.hold)).toBe("429");
    const other = new Pace(redis, keys, "another");
    expect(await other.take({ ...nothing, images: [1] })).toMatchObject({ calls: 0, why: "hold" });
  });

  test("that asks for less time does not shorten a hold, and one that asks for more makes it longer", async () => {
    const keys = newLane();
    const pace = new Pace(redis, keys, "w");
    await pace.refused({ ...refusal, retryAfterMs: 50_000, message: "long" });
    await pace.refused({ ...refusal, retryAfterMs: 5_000, message: "short" });
    expect((await readLaneState(redis, keys)).holdMs).toBeGreaterThan(40_000);
    await pace.refused({ ...refusal, retryAfterMs: 90_000, message: "longer" });
    expect((await readLaneState(redis, keys)).holdMs).toBeGreaterThan(80_000);
    expect(await redis.get(keys.hold)).toBe("longer");
  });

  const told = fc.record({
    afterMs: fc.integer({ min: 0, max: 8_000 }),
    ageMs: fc.integer({ min: 0, max: 2_000 }),
    retryAfterMs: fc.option(fc.integer({ min: 0, max: 20_000 }), { nil: undefined }),
  });

  test("never shortens the wait of another one, whatever they ask for and when", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(told, { minLength: 5, maxLength: 40 }), async (refusals) => {
        let now = 1_000_000;
        let heldUntil = 0;
        const pace = new Pace(redis, newLane(), "w", () => now);
        for (const { afterMs, ageMs, retryAfterMs } of refusals) {
          now += afterMs;
          const { calls } = await pace.take({ ...nothing, images: [1] });
          expect(now < heldUntil && calls > 0).toBe(false);
          const holdMs = await pace.refused({ ...refusal, ageMs, retryAfterMs });
          expect(holdMs).toBeGreaterThanOrEqual(retryAfterMs ?? 1);
          heldUntil = Math.max(heldUntil, now + holdMs);
        }
      }),
      { numRuns: 60 },
    );
  });

  test("that tells no time holds the lane twice as long each time that nothing was let in between", async () => {
    let now = 1_000_000;
    const pace = new Pace(redis, newLane(), "w", () => now);
    const held: number[] = [];
    for (let call = 0; call < 8; call++) {
      await pace.take({ ...nothing, images: [1] });
      now += 5;
      held.push(await pace.refused({ ...refusal, retryAfterMs: undefined }));
      now += held.at(-1)! + 1_000;
    }
    expect(held).toEqual([1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 60_000, 60_000]);
  });
});
