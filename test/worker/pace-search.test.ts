import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { RedisClient } from "../../shared/redis.ts";
import { connectedRedis } from "../helpers/connected-redis.ts";
import { PaceStage, type PaceStageOptions } from "./pace-stage.ts";

let redis: RedisClient;
connectedRedis("worker", (client) => (redis = client));

describe.each([1, 4])("a limit that %i workers do not know", (workers) => {
  test.each([
    { tells: "time", limitBurst: 1 },
    { tells: "nothing", limitBurst: 1 },
    { tells: "time", limitBurst: 0.1 },
    { tells: "nothing", limitBurst: 0.1 },
  ] as const)(
    "is found, used and kept, also when it changes (%o)",
    async ({ tells, limitBurst }) => {
      const stage = new PaceStage(redis, {
        workers,
        concurrency: 100,
        latencyMs: 1_000,
        images: 1,
        tells,
        provider: { limitBurst },
      });
      const sums = { calls: 0, refused: 0 };
      for (const limit of [600, 300, 600]) {
        stage.settings.imagesPerMinute = limit;
        await stage.pass(180_000);
        const { calls, refused } = stage.last(180_000);
        sums.calls += calls;
        sums.refused += refused;
        expect(stage.last(120_000).images).toBeGreaterThanOrEqual(0.95 * 2 * limit);
      }
      expect(sums.refused / sums.calls).toBeLessThanOrEqual(0.01);
    },
  );
});

const saved = { limitBurst: 1 };
const eachWindow = { limitRefill: "each window" } as const;

test.each([
  { workers: 1, limit: 60, tells: "nothing", provider: saved },
  { workers: 4, limit: 300, tells: "time", provider: { limitBurst: 0.1 } },
  { workers: 1, limit: 300, tells: "time", provider: eachWindow },
  { workers: 4, limit: 600, tells: "nothing", provider: { limitBurst: 0.02 } },
  { workers: 1, limit: 3_000, tells: "nothing", provider: saved },
  { workers: 4, limit: 3_000, tells: "time", provider: eachWindow },
] as const)(
  "a limit that nobody told is used to 95 % after the first minute, with one call in a hundred refused (%o)",
  async ({ workers, limit, tells, provider }) => {
    const stage = openStage({ workers, tells, provider: { ...provider, imagesPerMinute: limit } });
    await stage.pass(60_000);
    await stage.pass(240_000);
    const { images, refused, calls } = stage.last(240_000);
    expect(images).toBeGreaterThanOrEqual(0.95 * 4 * limit);
    expect(refused / calls).toBeLessThanOrEqual(0.01);
  },
);

test.each([1, 2, 3])(
  "limits on whole minutes that nobody told are used to 95 %, though a lane has to try when the minute ends (seed %i)",
  async (seed) => {
    for (const [limit, mostRefused] of [
      [60, 0.09],
      [300, 0.03],
    ] as const) {
      const provider = { ...eachWindow, imagesPerMinute: limit };
      const stage = openStage({ seed, tells: "nothing", provider });
      await stage.pass(60_000);
      await stage.pass(240_000);
      const { images, refused, calls } = stage.last(240_000);
      expect(images).toBeGreaterThanOrEqual(0.95 * 4 * limit);
      expect(refused / calls).toBeLessThanOrEqual(mostRefused);
    }
  },
);

test("one refusal costs a lane its wait and five seconds, whenever it comes and whatever it says", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.integer({ min: 1, max: 400 }),
      fc.option(fc.integer({ min: 1, max: 10_000 })),
      fc.integer({ min: 1, max: 3 }),
      async (place, hiccupWaitMs, workers) => {
        const options = { workers, concurrency: 30 / workers, latencyMs: 150, prompts: 400 };
        const hiccup = { hiccups: [place], ...(hiccupWaitMs !== null && { hiccupWaitMs }) };
        const lostMs = (await msToEnd({ ...options, ...hiccup })) - (await msToEnd(options));
        expect(lostMs - (hiccupWaitMs ?? 1_000)).toBeLessThanOrEqual(5_000);
      },
    ),
    { numRuns: 25 },
  );
});

test("refusals without a cause do not slow a lane ever more", async () => {
  const hiccups = Array.from({ length: 60 }, (_, i) => 100 * (i + 1));
  const ms = await msToEnd({ concurrency: 30, latencyMs: 150, prompts: 4_000, hiccups });
  // The waits alone take 40 s.
  expect(ms).toBeLessThan(300_000);
});

test.each([
  ["in a row at the start", [15, 16, 17]],
  ["one call in five", [5, 10, 15, 20, 25, 30]],
])(
  "refusals without a cause, %s, keep a lane from its full pace for two minutes at most",
  async (_, hiccups) => {
    const stage = openStage({ hiccups, tells: "nothing" });
    await stage.pass(120_000);
    await stage.pass(10_000);
    expect(stage.last(10_000).images).toBeGreaterThan(900);
  },
);

function openStage(options: Partial<PaceStageOptions>): PaceStage {
  const usual = { workers: 1, concurrency: 100, latencyMs: 1_000, images: 1, provider: {} };
  const stage = new PaceStage(redis, { ...usual, ...options });
  // Where the provider's windows begin.
  stage.now = 1_020_000;
  return stage;
}

/** How long it takes until the last call is let in. */
async function msToEnd(options: Partial<PaceStageOptions> & { prompts: number }): Promise<number> {
  const stage = openStage(options);
  const startedAt = stage.now;
  const admitted = () => stage.calls.filter((call) => call.admitted);
  for (let second = 0; second < 3_600 && admitted().length < options.prompts; second++)
    await stage.pass(1_000);
  return admitted()[options.prompts - 1]!.at - startedAt;
}
