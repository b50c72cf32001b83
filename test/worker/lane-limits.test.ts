import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { readPace } from "../../monitor/lane-pace.ts";
import { Pace } from "../../worker/pace.ts";
import { startTestRedis, type TestRedis } from "../helpers/redis.ts";
import { openTestLane } from "../helpers/test-lane.ts";
import { until } from "../helpers/until.ts";

let server: TestRedis;
beforeAll(async () => {
  server = await startTestRedis();
});
afterAll(() => server.close());

describe.concurrent("a rate limit", () => {
  test("holds all workers of the lane as long as the provider asks, and burns no attempt", async () => {
    await using lane = await openTestLane(server, {
      run: { attempts: 1 },
      simulator: {
        promptFaults: [{ match: "prompt 0", fault: "rateLimited", times: 1 }],
        faultRetryAfterMs: 3_000,
      },
    });
    const workers = [await lane.serve(), await lane.serve()];
    await lane.add(0);
    await until(() =>
      expect(workers.map(({ gate }) => gate.waitingFor)).toEqual(["rate limit", "rate limit"]),
    );
    for (let index = 1; index < 9; index++) await lane.add(index);
    const results = await lane.results(9);
    expect(results.every(({ state }) => state === "succeeded")).toBe(true);
    expect(results[0]!.attempts).toMatchObject([
      { outcome: "rate_limited", burned: false, sent: true, status: 429, retryAfterMs: 3_000 },
      { outcome: "ok" },
    ]);
    const [refused, ...later] = lane.simulator.ledger.records();
    expect(later).toHaveLength(9);
    const earliest = Math.min(...later.map(({ startedAt }) => startedAt));
    expect(earliest - refused!.endedAt!).toBeGreaterThanOrEqual(2_900);
  });
});

describe.concurrent("a Redis that is emptied while the lane has to wait, without a lost connection", () => {
  test("does not let a call start before its time", async () => {
    await using lane = await openTestLane(server, {
      simulator: {
        promptFaults: [{ match: "prompt 0", fault: "rateLimited", times: 1 }],
        faultRetryAfterMs: 4_000,
      },
    });
    const workers = [await lane.serve(), await lane.serve()];
    for (let index = 0; index < 8; index++) await lane.add(index);
    await until(() =>
      expect(workers.map(({ gate }) => gate.waitingFor)).toEqual(["rate limit", "rate limit"]),
    );
    // What was let go before the refusal may still be on its way.
    await until(() => expect(workers.map(({ calls }) => calls.size)).toEqual([0, 0]));
    const before = lane.simulator.ledger.calls;
    await lane.empty();
    // As a producer does that misses its jobs.
    for (let index = 0; index < 8; index++) await lane.add(index, { mayExist: true });
    await until(() => expect(lane.simulator.ledger.calls).toBeGreaterThan(before));
    const records = [...lane.simulator.ledger.records()];
    const { endedAt } = records.find(({ fault }) => fault === "rateLimited")!;
    const later = records.slice(before).map(({ startedAt }) => startedAt - endedAt!);
    expect(Math.min(...later)).toBeGreaterThanOrEqual(3_900);
  });
});

/** What a Redis keeps of times, and of keys that live for a time, where its clock has been set back by so much since. */
const setBack = `
  local s = cmsgpack.unpack(redis.call('get', KEYS[1]))
  for name, value in pairs(s) do
    if type(value) == 'number' and value > 1e12 then s[name] = value + tonumber(ARGV[1]) end
  end
  redis.call('set', KEYS[1], cmsgpack.pack(s), 'PX', 600000)
  redis.call('pexpire', KEYS[2], redis.call('pttl', KEYS[2]) + tonumber(ARGV[1]))
`;

describe.concurrent("a Redis whose clock is set back while the lane has to wait", () => {
  test("lets it go on when it was to, whatever its keys have left to live", async () => {
    await using lane = await openTestLane(server, {
      simulator: {
        promptFaults: [{ match: "prompt 0", fault: "rateLimited", times: 1 }],
        faultRetryAfterMs: 3_000,
      },
    });
    const workers = [await lane.serve(), await lane.serve()];
    for (let index = 0; index < 8; index++) await lane.add(index);
    await until(() =>
      expect(workers.map(({ gate }) => gate.waitingFor)).toEqual(["rate limit", "rate limit"]),
    );
    await lane.redis.eval(setBack, 2, lane.keys.pace, lane.keys.hold, 600_000);
    const results = await lane.results(8);
    expect(results.every(({ state }) => state === "succeeded")).toBe(true);
  });
});

describe.concurrent("a limit that the provider tells with its answers", () => {
  test("is kept by all workers of the lane", async () => {
    await using lane = await openTestLane(server, { simulator: { imagesPerMinute: 600 } });
    await lane.serve();
    for (let index = 0; index < 30; index++) await lane.add(index);
    await lane.results(30);
    const another = new Pace(lane.redis, lane.keys, "another");
    const asked = { calls: 0, answered: 0, latencyMs: 0, limits: {}, images: Array(100).fill(1) };
    await until(async () => expect(await another.take(asked)).toMatchObject({ why: "rate" }));
  });
});

describe.concurrent("a limit on tokens that only a refusal names", () => {
  test("is kept by the lane, in the tokens that the provider counts, and shown", async () => {
    await using lane = await openTestLane(server, {
      run: { model: "gpt-image-2", parameters: { size: "1024x1024", quality: "low" } },
      simulator: { tokensPerMinute: 60_000, limitBurst: 0.05, rateLimitHeaders: false },
    });
    await lane.serve({ concurrency: 20 });
    for (let index = 0; index < 25; index++) await lane.add(index);
    await lane.results(25);
    const { hintTokens } = (await readPace(lane.redis, lane.keys))!;
    expect(hintTokens).toBe(60_000);
    const another = new Pace(lane.redis, lane.keys, "another");
    const asked = { calls: 0, answered: 0, latencyMs: 0, limits: {}, images: [] };
    const { tokensPerMinute, tokenFactor } = await another.take(asked);
    expect(tokensPerMinute).toBe(60_000);
    expect(tokenFactor).toBeCloseTo(1, 1);
  });
});

const guess = () => ({ tokens: 1_000, isKnown: true });

describe.concurrent("limits that runs were given", () => {
  test("are known when the worker has started, from its first look at the lane", async () => {
    await using lane = await openTestLane(server);
    await lane.register({ limits: { tokensPerMinute: 4_000 } });
    const { limiter } = await lane.serve();
    expect(limiter.mostPerCall(guess)).toBe(4);
  });

  test("do not count while their run is paused", async () => {
    await using lane = await openTestLane(server);
    await lane.register({ limits: { tokensPerMinute: 4_000 }, state: "paused" });
    const { limiter } = await lane.serve();
    expect(limiter.mostPerCall(guess)).toBe(Infinity);
  });
});
