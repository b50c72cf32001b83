import { afterAll, beforeAll, expect, test } from "vitest";
import { startTestRedis, type TestRedis } from "../helpers/redis.ts";
import { openStage, promptRows } from "../helpers/stage.ts";

let redis: TestRedis;
beforeAll(async () => {
  redis = await startTestRedis({ tcp: true });
});
afterAll(() => redis.close());

function forModel(...args: string[]): string[] {
  return [...args, "--model", "imagemill-sim-1", "--provider", "openai"];
}

test("worker processes together stay below a limit that is given, so that no call is refused", async () => {
  await using stage = await openStage({ latencyMs: 200, imagesPerMinute: 1_200, limitBurst: 0.02 });
  Object.assign(stage.env, { REDIS_URL: redis.url });
  const data = stage.dataset(promptRows(100));
  const workers = [1, 2, 3].map(() => stage.startCli("work"));
  const run = await stage.cli(
    ...forModel("enqueue", data, "--out", stage.out, "--json"),
    "--images-per-minute",
    "1200",
  );
  expect(run.code).toBe(0);
  expect(run.summary).toMatchObject({ images: 100, calls: 100, throttled: 0 });
  const statuses = new Set(Array.from(stage.simulator.ledger.records(), ({ status }) => status));
  expect([...statuses]).toEqual([200]);
  expect(workers.every(({ alive }) => alive)).toBe(true);
});

test("a limit that nobody gave is found: few calls are refused, and no attempt is lost", async () => {
  await using stage = await openStage({
    latencyMs: 100,
    imagesPerMinute: 1_200,
    limitBurst: 0.02,
    retryAfter: "none",
    rateLimitHeaders: false,
  });
  const run = await stage.run(
    stage.dataset(promptRows(150)),
    "--model",
    "simulated/model",
    "--provider",
    "huggingface",
    "--attempts",
    "1",
  );
  expect(run.code).toBe(0);
  expect(run.summary).toMatchObject({ images: 150, retries: 0 });
  expect(run.summary.throttled).toBeGreaterThan(0);
  expect(run.summary.throttled).toBeLessThan(30);
});

test("a limit that only a refusal names, in words, is kept from then on", async () => {
  await using stage = await openStage({
    latencyMs: 100,
    imagesPerMinute: 1_200,
    limitBurst: 0.02,
    retryAfter: "message",
    rateLimitHeaders: false,
  });
  const run = await stage.run(stage.dataset(promptRows(150)), ...forModel("--attempts", "1"));
  expect(run.code).toBe(0);
  expect(run.summary).toMatchObject({ images: 150, retries: 0 });
  const calls = [...stage.simulator.ledger.records()];
  const first = calls.findIndex(({ status }) => status === 429);
  expect(first).toBeGreaterThan(0);
  // Those that were on their way already.
  const known = calls
    .slice(first)
    .filter(({ startedAt }) => startedAt > calls[first]!.endedAt! + 500);
  expect(known.length).toBeGreaterThan(80);
  expect(known.filter(({ status }) => status === 429)).toEqual([]);
});
