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

test("worker processes together stay below a limit on tokens, whatever each call takes of it", async () => {
  const tokensPerMinute = 1_800_000;
  await using stage = await openStage({ latencyMs: 200, tokensPerMinute, limitBurst: 0.1 });
  Object.assign(stage.env, { REDIS_URL: redis.url, IMAGEMILL_TOKENS_PER_MINUTE: "1800000" });
  const qualities = ["low", "low", "medium", "auto"];
  const rows = promptRows(160).map((row, i) => ({ ...row, quality: qualities[i % 4] }));
  const workers = [1, 2, 3, 4].map(() => stage.startCli("work"));
  const args = ["--model", "gpt-image-2", "--param", "size=1024x1024"];
  args.push("--param-from", "quality=quality", "--out", stage.out, "--json");
  const run = await stage.cli("enqueue", stage.dataset(rows), ...args);
  expect(run.code).toBe(0);
  expect(run.summary).toMatchObject({ images: 160, calls: 160, throttled: 0 });
  expect(workers.every(({ alive }) => alive)).toBe(true);
  const starts = Array.from(stage.simulator.ledger.records(), ({ startedAt }) => startedAt);
  const ms = Math.max(...starts) - Math.min(...starts);
  const used = run.summary.usage.totalTokens! / tokensPerMinute / (ms / 60_000);
  expect(used).toBeGreaterThan(0.8);
  expect(used).toBeLessThan(1.1);
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
