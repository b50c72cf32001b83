import { expect, test } from "vitest";
import type { RedisClient } from "../../shared/redis.ts";
import { Pace } from "../../worker/pace.ts";
import { connectedRedis } from "../helpers/connected-redis.ts";
import { newLane, nothing, refusal } from "./pace-requests.ts";
import { PaceStage, type PaceStageOptions } from "./pace-stage.ts";

let redis: RedisClient;
connectedRedis("worker", (client) => (redis = client));

type Case = Pick<PaceStageOptions, "workers" | "latencyMs"> & { most: number; seed: number };

/** A provider that lets in so many calls at once, and refuses the rest with a 429 that says nothing. */
function openStage({ most, ...options }: Case & Partial<PaceStageOptions>): PaceStage {
  return new PaceStage(redis, {
    concurrency: 100,
    images: 1,
    mostInFlight: most,
    namesMostInFlight: false,
    tells: "nothing",
    provider: {},
    ...options,
  });
}

/** The share of the limit that the last `ms` used, and of calls that were refused. */
function sharesOf(stage: PaceStage, latencyMs: number, ms: number) {
  const { images, refused, calls } = stage.last(ms);
  return { used: (images * latencyMs) / (stage.mostInFlight * ms), refused: refused / calls };
}

test.each([
  { workers: 1, most: 5, latencyMs: 300, seed: 1 },
  { workers: 4, most: 20, latencyMs: 1_000, seed: 2 },
  { workers: 1, most: 20, latencyMs: 3_000, seed: 3 },
  { workers: 4, most: 3, latencyMs: 3_000, seed: 4 },
  { workers: 4, most: 5, latencyMs: 10_000, seed: 5 },
  { workers: 1, most: 80, latencyMs: 10_000, seed: 6 },
])(
  "a number of calls at once that nobody names is used to 95 % after the first minute, with one call in a hundred refused (%o)",
  async (options) => {
    const stage = openStage(options);
    await stage.pass(60_000);
    await stage.pass(240_000);
    const { used, refused } = sharesOf(stage, options.latencyMs, 240_000);
    expect(used).toBeGreaterThanOrEqual(0.95);
    expect(refused).toBeLessThanOrEqual(0.01);
  },
);

test.each([1, 4])(
  "a number of calls at once is found again by %i workers where it is lowered and where it is raised",
  async (workers) => {
    const stage = openStage({ workers, latencyMs: 1_000, most: 40, seed: 1 });
    await stage.pass(60_000);
    for (const most of [15, 60]) {
      stage.mostInFlight = most;
      await stage.pass(60_000);
      await stage.pass(120_000);
      const { used, refused } = sharesOf(stage, 1_000, 120_000);
      expect(used).toBeGreaterThanOrEqual(0.95);
      expect(refused).toBeLessThanOrEqual(0.01);
    }
  },
);

test("a number of calls at once is kept where one call in a thousand is refused for no reason at all", async () => {
  const hiccups = Array.from({ length: 10 }, (_, i) => 1_000 * (i + 1));
  const stage = openStage({ workers: 1, latencyMs: 1_000, most: 20, seed: 1, hiccups });
  await stage.pass(60_000);
  await stage.pass(300_000);
  expect(sharesOf(stage, 1_000, 300_000).used).toBeGreaterThanOrEqual(0.95);
});

test.each([1, 4])(
  "a number of calls at once that the provider names is used to 95 percent by %i workers",
  async (workers) => {
    const options = { workers, most: 20, latencyMs: 1_000, seed: 1, namesMostInFlight: true };
    const stage = openStage(options);
    await stage.pass(60_000);
    await stage.pass(180_000);
    const { used, refused } = sharesOf(stage, 1_000, 180_000);
    expect(used).toBeGreaterThanOrEqual(0.95);
    expect(refused).toBeLessThanOrEqual(0.01);
  },
);

test("calls that were under way at a refusal, and are answered after it, do not show that it was for their number", async () => {
  let now = 1_000_000;
  const pace = new Pace(redis, newLane(), "w", () => now);
  await pace.take({ ...nothing, images: Array.from({ length: 10 }, () => 1) });
  now += 100;
  const bare = { ...refusal, ageMs: 100, retryAfterMs: undefined, calls: 9 };
  now += await pace.refused(bare);
  // Told late, but while nothing else can have been answered.
  await pace.take({ ...nothing, answered: 9, latencyMs: 110, images: [] });
  now += 10;
  const { imagesPerMinute } = await pace.take({ ...nothing, images: [] });
  expect(imagesPerMinute).toBeGreaterThan(0);
});

test("a refusal that names the number of calls at once holds no call back longer than others are in flight", async () => {
  let now = 1_000_000;
  const pace = new Pace(redis, newLane(), "w", () => now);
  const images = Array.from({ length: 10 }, () => 1);
  await pace.take({ ...nothing, images });
  now += 1_000;
  const tooMany = { ...refusal, kind: "concurrency", retryAfterMs: undefined } as const;
  expect(await pace.refused({ ...tooMany, calls: 5 })).toBe(0);
  expect(await pace.take({ ...nothing, calls: 5, images })).toMatchObject({
    calls: 0,
    why: "window",
    window: 5,
  });
  expect((await pace.take({ ...nothing, calls: 4, images })).calls).toBe(1);
  // Whatever keeps the only call from being let in, it is not another call.
  now += 1_000;
  expect(await pace.refused({ ...tooMany, calls: 0 })).toBeGreaterThanOrEqual(1_000);
});
