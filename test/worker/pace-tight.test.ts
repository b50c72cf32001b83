import { describe, expect, test } from "vitest";
import type { RedisClient } from "../../shared/redis.ts";
import { connectedRedis } from "../helpers/connected-redis.ts";
import { PaceStage, type PaceStageOptions } from "./pace-stage.ts";

let redis: RedisClient;
connectedRedis("worker", (client) => (redis = client));

type Case = Pick<PaceStageOptions, "workers" | "latencyMs" | "tells"> & { limit: number };

/** What of a limit was used in the four minutes after the first, and how many of their calls were refused. */
async function sharesOf({ limit, ...options }: Case & Partial<PaceStageOptions>) {
  const stage = new PaceStage(redis, {
    concurrency: 100,
    images: 1,
    ...options,
    provider: { imagesPerMinute: limit, limitBurst: 1 / limit, ...options.provider },
  });
  await stage.pass(60_000);
  await stage.pass(240_000);
  const { images, refused, calls } = stage.last(240_000);
  return { used: images / (4 * limit), refused: refused / calls };
}

describe("a limit of which nothing can be saved up, and that nobody told,", () => {
  test.each<Case>([
    { workers: 1, limit: 60, latencyMs: 1_000, tells: "time" },
    { workers: 4, limit: 60, latencyMs: 300, tells: "nothing" },
    { workers: 4, limit: 300, latencyMs: 300, tells: "time" },
    { workers: 1, limit: 300, latencyMs: 1_000, tells: "nothing" },
    { workers: 1, limit: 300, latencyMs: 3_000, tells: "nothing" },
    { workers: 4, limit: 600, latencyMs: 1_000, tells: "time" },
    { workers: 1, limit: 600, latencyMs: 3_000, tells: "nothing" },
  ])(
    "is used to 95 % after the first minute, with one call in a hundred refused (%o)",
    async (options) => {
      const { used, refused } = await sharesOf(options);
      expect(used).toBeGreaterThanOrEqual(0.95);
      expect(refused).toBeLessThanOrEqual(0.01);
    },
  );

  test("is not taken for a number of calls at once, though calls one after the other are let in", async () => {
    const { used, refused } = await sharesOf({
      workers: 1,
      limit: 60,
      latencyMs: 3_000,
      tells: "nothing",
    });
    // One at a time would be a third of it.
    expect(used).toBeGreaterThanOrEqual(0.9);
    expect(refused).toBeLessThanOrEqual(0.02);
  });
});

describe("a limit of which something can be saved up", () => {
  test.each([
    { concurrency: 1, limit: 60, latencyMs: 300, limitBurst: 1 },
    { concurrency: 2, limit: 300, latencyMs: 300, limitBurst: 0.02 },
    { concurrency: 2, limit: 600, latencyMs: 100, limitBurst: 0.1 },
  ])(
    "is measured by what was let in, also where too few calls go at once to show it (%o)",
    async ({ limitBurst, ...options }) => {
      const provider = { limitBurst };
      const { used, refused } = await sharesOf({
        ...options,
        workers: 1,
        tells: "time",
        provider,
      });
      expect(used).toBeGreaterThanOrEqual(0.98);
      expect(refused).toBeLessThanOrEqual(0.01);
    },
  );

  test.each([
    { limit: 300, limitBurst: 0.1, tells: "time" },
    { limit: 600, limitBurst: 1, tells: "nothing" },
  ] as const)(
    "is found to be one where nothing was left of it when the lane began (%o)",
    async ({ limitBurst, ...options }) => {
      const { used, refused } = await sharesOf({
        ...options,
        workers: 1,
        latencyMs: 1_000,
        // Of ten at once one is let in.
        hiccups: [2, 3, 4, 5, 6, 7, 8, 9, 10],
        provider: { limitBurst },
      });
      expect(used).toBeGreaterThanOrEqual(0.98);
      expect(refused).toBeLessThanOrEqual(0.01);
    },
  );
});
