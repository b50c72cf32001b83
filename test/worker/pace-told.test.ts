import { expect, test } from "vitest";
import type { RedisClient } from "../../shared/redis.ts";
import type { LaneLimits } from "../../shared/lane-limits.ts";
import { Pace } from "../../worker/pace.ts";
import { connectedRedis } from "../helpers/connected-redis.ts";
import { newLane, nothing, refusal } from "./pace-requests.ts";
import { PaceStage } from "./pace-stage.ts";

let redis: RedisClient;
connectedRedis("worker", (client) => (redis = client));

test("limits that the provider tells are kept as if they had been given, for a minute", async () => {
  const keys = newLane();
  let now = 1_000_000;
  const pace = new Pace(redis, keys, "w", () => now);
  await pace.told({ imagesPerMinute: 60 });
  const images = Array.from({ length: 10 }, () => 1);
  expect(await pace.take({ ...nothing, images })).toMatchObject({ calls: 1, why: "rate" });
  now += 61_000;
  expect((await pace.take({ ...nothing, images })).calls).toBe(10);
});

/** A lane that a refusal has told limits, and that has always ten calls to make, none of which is refused. */
async function toldLane(limits: LaneLimits) {
  let now = 1_000_000;
  const pace = new Pace(redis, newLane(), "w", () => now);
  const images = Array.from({ length: 10 }, () => 1);
  await pace.take({ ...nothing, images });
  await pace.refused({ ...refusal, limits });
  return {
    /** Lets so much time pass; gives how many calls were let go, in all and at once at most. */
    pass: async (ms: number) => {
      let made = 0;
      let atOnce = 0;
      for (const end = now + ms; now < end; now += 100) {
        const { calls } = await pace.take({ ...nothing, images });
        made += calls;
        atOnce = Math.max(atOnce, calls);
      }
      return { made, atOnce };
    },
  };
}

test.each([
  { imagesPerMinute: 60, keptMs: 120_000 },
  { imagesPerMinute: 600, keptMs: 90_000 },
  { imagesPerMinute: 6, keptMs: 600_000 },
])(
  "a limit that a refusal tells is kept for 120 calls, a minute and a half at least and ten minutes at most, then more is tried (%o)",
  async ({ imagesPerMinute, keptMs }) => {
    const lane = await toldLane({ imagesPerMinute });
    const most = (ms: number) => (imagesPerMinute * ms) / 60_000 + 1;
    const { made } = await lane.pass(keptMs - 1_000);
    expect(made).toBeLessThanOrEqual(most(keptMs));
    expect(made).toBeGreaterThan(0.95 * most(keptMs - 5_000));
    const later = await lane.pass(60_000);
    expect(later.made).toBeGreaterThan(1.2 * most(60_000));
  },
);

test.each<LaneLimits>([
  { imagesPerMinute: 60 },
  { requestsPerMinute: 60 },
  { imagesPerMinute: 90, requestsPerMinute: 60 },
])("more than a limit that a refusal told is tried little by little (%o)", async (limits) => {
  const lane = await toldLane(limits);
  const { made, atOnce } = await lane.pass(125_000);
  expect(made).toBeLessThanOrEqual(132);
  expect(atOnce).toBeLessThanOrEqual(2);
});

test.each([
  { unit: "images", workers: 1, limit: 300, limitBurst: 0.02 },
  { unit: "images", workers: 4, limit: 60, limitBurst: 0.02 },
  { unit: "requests", workers: 4, limit: 300, limitBurst: 0.1 },
  { unit: "tokens", workers: 1, limit: 300, limitBurst: 1 },
] as const)(
  "a limit that only refusals tell is used to 98 %, and twice as much found within two minutes, with few calls refused (%o)",
  async ({ unit, workers, limit, limitBurst }) => {
    const tokens = { guess: { tokens: 1_000, isKnown: true }, take: () => 1_000 };
    const most = unit === "tokens" ? 1_000 * limit : limit;
    const stage = new PaceStage(redis, {
      workers,
      concurrency: 100,
      latencyMs: 1_000,
      images: 1,
      tells: "words",
      tokens,
      provider: { [`${unit}PerMinute`]: most, limitBurst },
    });
    await stage.pass(60_000);
    await stage.pass(300_000);
    const { images, refused, calls } = stage.last(300_000);
    expect(images).toBeGreaterThanOrEqual(0.98 * 5 * limit);
    expect(refused / calls).toBeLessThanOrEqual(0.01);
    stage.settings[`${unit}PerMinute`] = 2 * most;
    await stage.pass(120_000);
    await stage.pass(60_000);
    expect(stage.last(60_000).images).toBeGreaterThanOrEqual(0.95 * 2 * limit);
    expect(stage.last(180_000).refused).toBeLessThanOrEqual(4);
  },
);

test("a limit that is lower than what was kept is kept at once where a refusal tells it", async () => {
  let now = 1_000_000;
  const pace = new Pace(redis, newLane(), "w", () => now);
  const images = Array.from({ length: 10 }, () => 1);
  await pace.take({ ...nothing, images });
  for (const imagesPerMinute of [600, 60]) {
    await pace.refused({ ...refusal, limits: { imagesPerMinute } });
    now += 2_000;
    const grant = await pace.take({ ...nothing, images });
    expect(grant.imagesPerMinute).toBeLessThanOrEqual(imagesPerMinute);
  }
});
