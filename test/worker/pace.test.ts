import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { RedisClient } from "../../shared/redis.ts";
import { Pace } from "../../worker/pace.ts";
import { connectedRedis } from "../helpers/connected-redis.ts";
import { newLane, nothing, refusal } from "./pace-requests.ts";
import { PaceStage } from "./pace-stage.ts";

let redis: RedisClient;
connectedRedis("worker", (client) => (redis = client));

describe("a limit that is known", () => {
  const ask = fc.record({
    afterMs: fc.integer({ min: 0, max: 2_000 }),
    worker: fc.integer({ min: 0, max: 2 }),
    images: fc.array(fc.integer({ min: 1, max: 10 }), { minLength: 1, maxLength: 8 }),
    /** Whether a call is refused then, and how long the lane is to wait. */
    refusedMs: fc.option(fc.integer({ min: 0, max: 5_000 }), { freq: 10 }),
  });

  test("is not passed in any minute by more than the last call, whoever asks when and for how many, and whatever is refused", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(ask, { minLength: 80, maxLength: 150 }),
        fc.integer({ min: 5, max: 300 }),
        async (asks, imagesPerMinute) => {
          const keys = newLane();
          let now = 1_000_000;
          const letGo: { at: number; images: number }[] = [];
          for (const { afterMs, worker, images, refusedMs } of asks) {
            now += afterMs;
            const pace = new Pace(redis, keys, `w${worker}`, () => now);
            const { calls } = await pace.take({ ...nothing, limits: { imagesPerMinute }, images });
            for (const n of images.slice(0, calls)) letGo.push({ at: now, images: n });
            if (refusedMs !== null) await pace.refused({ ...refusal, retryAfterMs: refusedMs });
          }
          for (const [first, { at }] of letGo.entries()) {
            const minute = letGo.slice(first).filter((call) => call.at < at + 60_000);
            const before = minute.slice(0, -1).reduce((sum, call) => sum + call.images, 0);
            expect(before).toBeLessThanOrEqual(imagesPerMinute);
          }
        },
      ),
      { numRuns: 60 },
    );
  });

  test("lets a call go that waits as long as it was told", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 1, max: 1_000 }),
        fc.integer({ min: 1, max: 1_000 }),
        fc.array(fc.integer({ min: 1, max: 10 }), { minLength: 1, maxLength: 10 }),
        async (imagesPerMinute, requestsPerMinute, images) => {
          let now = 1_000_000;
          const pace = new Pace(redis, newLane(), "w", () => now);
          const limits = { imagesPerMinute, requestsPerMinute };
          for (let left = images; left.length > 0;) {
            const grant = await pace.take({ ...nothing, limits, images: left });
            left = left.slice(grant.calls);
            if (left.length === 0) break;
            expect(grant).toMatchObject({ why: "rate" });
            now += grant.waitMs;
            expect((await pace.take({ ...nothing, limits, images: left.slice(0, 1) })).calls).toBe(
              1,
            );
            left = left.slice(1);
          }
        },
      ),
      { numRuns: 60 },
    );
  });

  test("is used to 98 % and more, with no call refused, by four workers and four images a call", async () => {
    const stage = new PaceStage(redis, {
      workers: 4,
      concurrency: 20,
      latencyMs: 1_000,
      images: 4,
      limits: { imagesPerMinute: 600 },
      provider: { imagesPerMinute: 600, limitBurst: 0.02 },
    });
    await stage.pass(180_000);
    expect(stage.last(180_000).refused).toBe(0);
    expect(stage.last(120_000).images).toBeGreaterThanOrEqual(0.98 * 2 * 600);
  });
});

describe("calls in flight", () => {
  test("double each round up to what the workers can do, where the provider says nothing", async () => {
    const stage = new PaceStage(redis, {
      workers: 1,
      concurrency: 512,
      latencyMs: 1_000,
      images: 1,
      provider: {},
    });
    await stage.pass(3_000);
    expect(stage.inFlight).toBeGreaterThan(40);
    await stage.pass(6_000);
    expect(stage.inFlight).toBeGreaterThan(480);
  });

  test("stop growing where answers only take longer", async () => {
    const stage = new PaceStage(redis, {
      workers: 2,
      concurrency: 200,
      latencyMs: 500,
      images: 1,
      serves: 10,
      provider: {},
    });
    await stage.pass(120_000);
    expect(stage.inFlight).toBeLessThanOrEqual(40);
    expect(stage.inFlight).toBeGreaterThanOrEqual(10);
  });

  test("of a worker that fell silent are forgotten, and each worker gets its share", async () => {
    const keys = newLane();
    let now = 1_000_000;
    const [a, b] = ["a", "b"].map((worker) => new Pace(redis, keys, worker, () => now));
    const images = Array.from({ length: 20 }, () => 1);
    expect((await a!.take({ ...nothing, images })).calls).toBe(10);
    expect(await b!.take({ ...nothing, images })).toMatchObject({ calls: 0, why: "window" });
    // Half of them have ended: the places are kept for b.
    expect((await a!.take({ ...nothing, calls: 5, images })).calls).toBe(0);
    expect((await b!.take({ ...nothing, images })).calls).toBe(5);
    now += 11_000;
    expect((await b!.take({ ...nothing, calls: 5, images })).calls).toBe(5);
  });

  test("are halved by calls that are not answered in time, once for those that went together", async () => {
    let now = 1_000_000;
    const pace = new Pace(redis, newLane(), "w", () => now);
    const windowNow = async () => (await pace.take({ ...nothing, images: [1] })).window;
    expect(await windowNow()).toBe(10);
    now += 60_000;
    for (let call = 0; call < 5; call++) await pace.slow(60_000);
    expect(await windowNow()).toBe(5);
    now += 60_000;
    await pace.slow(59_000);
    expect(await windowNow()).toBe(2);
  });
});

test("a limit on images of one call is told to all workers of the lane", async () => {
  const keys = newLane();
  await new Pace(redis, keys, "a").told({}, 5);
  await new Pace(redis, keys, "a").told({}, 7);
  expect((await new Pace(redis, keys, "b").take({ ...nothing, images: [] })).perCall).toBe(5);
});
