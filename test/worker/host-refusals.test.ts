import { afterAll, beforeAll, expect, test } from "vitest";
import { type Simulator, startSimulator } from "../../simulator/simulator.ts";
import { Pace } from "../../worker/pace.ts";
import { startTestRedis, type TestRedis } from "../helpers/redis.ts";
import { openTestLane, type TestLane } from "../helpers/test-lane.ts";
import { nothing } from "./pace-requests.ts";
import { until } from "../helpers/until.ts";

let redis: TestRedis;
beforeAll(async () => {
  redis = await startTestRedis();
});
afterAll(() => redis.close());

const refusesForMs = (faultRetryAfterMs: number) => ({
  faults: { rateLimited: 1 },
  retryAfter: "ms" as const,
  faultRetryAfterMs,
});

async function serveBoth(lane: TestLane, second: Simulator, prompts: number) {
  for (let index = 0; index < prompts; index++) await lane.add(index);
  const profile = { ...lane.profile, moreBaseUrls: [`${second.url}/v1`] };
  return await lane.serve({ profile });
}

/** Images a minute that the lane tries; 0: it has not met a limit. */
async function rateOf(lane: TestLane): Promise<number> {
  const grant = await new Pace(lane.redis, lane.keys, "looker").take({ ...nothing, images: [] });
  return grant.imagesPerMinute;
}

test("one of several hosts that refuses calls is left alone for as long as it asks for: the others make its images, and the lane waits for nothing", async () => {
  await using second = await startSimulator(refusesForMs(600_000));
  await using lane = await openTestLane(redis, { simulator: { latencyMs: 20 } });
  await serveBoth(lane, second, 40);
  const results = await lane.results(40);
  expect(results.flatMap(({ images }) => images)).toHaveLength(40);
  const attempts = results.flatMap((result) => result.attempts ?? []);
  const refused = attempts.filter(({ outcome }) => outcome === "rate_limited");
  expect(refused).toHaveLength(second.ledger.calls);
  expect(refused.length).toBeGreaterThan(0);
  // Those that were in flight when the first refusal came.
  expect(refused.length).toBeLessThanOrEqual(4);
  expect(refused.every(({ burned }) => !burned)).toBe(true);
  expect(refused[0]).toMatchObject({ retryAfterMs: 600_000 });
  expect(await lane.redis.exists(lane.keys.hold)).toBe(0);
  expect(await rateOf(lane)).toBe(0);
});

test("a lane whose hosts all refuse calls waits for the first of them, and sends nothing meanwhile", async () => {
  await using second = await startSimulator(refusesForMs(600_000));
  await using lane = await openTestLane(redis, { simulator: refusesForMs(2_000) });
  await serveBoth(lane, second, 6);
  await until(async () => expect(await lane.redis.exists(lane.keys.hold)).toBe(1));
  const firstRefusedAt = Math.min(
    ...[...lane.simulator.ledger.records()].map(({ startedAt }) => startedAt),
  );
  Object.assign(lane.simulator.settings, { faults: {} });
  const results = await lane.results(6);
  expect(results.flatMap(({ images }) => images)).toHaveLength(6);
  const calls = [...lane.simulator.ledger.records()];
  const made = calls.filter(({ images }) => images > 0);
  expect(made).toHaveLength(6);
  expect(Math.min(...made.map(({ startedAt }) => startedAt)) - firstRefusedAt).toBeGreaterThan(
    1_900,
  );
  expect(calls.length - made.length).toBeLessThanOrEqual(4);
  expect(second.ledger.calls).toBeLessThanOrEqual(4);
  expect(await rateOf(lane)).toBeGreaterThan(0);
});

test("a limit that one of several hosts tells is not taken for the lane's", async () => {
  await using second = await startSimulator();
  await using lane = await openTestLane(redis, { simulator: { imagesPerMinute: 30 } });
  await serveBoth(lane, second, 100);
  // At 30 images a minute they would take three minutes.
  expect(await lane.results(100)).toHaveLength(100);
  expect(lane.simulator.ledger.images).toBeLessThanOrEqual(31);
});

test("limits that all of several hosts told are kept by the lane, as what they let in together", async () => {
  await using second = await startSimulator({ imagesPerMinute: 600 });
  await using lane = await openTestLane(redis, { simulator: { imagesPerMinute: 300 } });
  await serveBoth(lane, second, 30);
  await lane.results(30);
  await until(async () => expect(await rateOf(lane)).toBe(900));
});
