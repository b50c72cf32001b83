import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { RedisClient } from "../../shared/redis.ts";
import { chance } from "../../simulator/chance.ts";
import { Pace } from "../../worker/pace.ts";
import { connectedRedis } from "../helpers/connected-redis.ts";
import { newLane, nothing, refusal } from "./pace-requests.ts";
import { PaceStage, type PaceStageOptions, type StagedTokens } from "./pace-stage.ts";

let redis: RedisClient;
connectedRedis("worker", (client) => (redis = client));

const tokensPerMinute = 250_000;
const known = { tokens: 1_056, isKnown: true };
const unknown = { tokens: 1_000, isKnown: false };
const equal = () => 1_056;
/** From half as much to half as much again. */
const varied = (place: number) => 1_056 * (0.5 + chance(7, place));

function openStage(tokens: StagedTokens, options: Partial<PaceStageOptions> = {}): PaceStage {
  const limits = { tokensPerMinute };
  const provider = { tokensPerMinute, limitBurst: 0.1 };
  const usual = { workers: 4, concurrency: 50, latencyMs: 10_000, images: 1, limits, provider };
  return new PaceStage(redis, { ...usual, tokens, ...options });
}

describe("a limit on tokens that is given", () => {
  test.each<[string, StagedTokens, number]>([
    ["is known before", { guess: known, take: equal }, 0.02],
    ["varies from call to call", { guess: known, take: varied }, 0.1],
    ["is a quarter of the guess", { guess: { tokens: 4_224, isKnown: true }, take: varied }, 0.1],
    ["is more than the guess", { guess: { tokens: 300, isKnown: true }, take: varied }, 0.1],
    ["only answers tell", { guess: unknown, take: varied }, 0.1],
  ])(
    "is used to 95 % and more by four workers, with no call refused, where what a call takes %s",
    async (_, tokens, limitBurst) => {
      const stage = openStage(tokens, { provider: { tokensPerMinute, limitBurst } });
      await stage.pass(120_000);
      await stage.pass(180_000);
      expect(stage.last(300_000).refused).toBe(0);
      expect(stage.last(180_000).tokens).toBeGreaterThanOrEqual(0.95 * 3 * tokensPerMinute);
    },
  );

  test("is used for large calls, too, of which a minute takes twenty", async () => {
    const large = { tokens: 12_672, isKnown: true };
    const stage = openStage(
      { guess: large, take: (place) => 12 * varied(place) },
      { provider: { tokensPerMinute } },
    );
    await stage.pass(60_000);
    await stage.pass(600_000);
    const { tokens, refused } = stage.last(600_000);
    expect(refused).toBe(0);
    expect(tokens).toBeGreaterThanOrEqual(0.95 * 10 * tokensPerMinute);
  });

  test("keeps nothing back where answers tell no tokens and nobody knows what a call takes", async () => {
    const stage = openStage({ guess: unknown, take: equal, areTold: false }, { provider: {} });
    await stage.pass(60_000);
    expect(stage.inFlight).toBeGreaterThan(150);
  });

  const ask = fc.record({
    afterMs: fc.integer({ min: 0, max: 2_000 }),
    worker: fc.integer({ min: 0, max: 2 }),
    tokens: fc.array(fc.integer({ min: 10, max: 5_000 }), { minLength: 1, maxLength: 8 }),
    refusedMs: fc.option(fc.integer({ min: 0, max: 5_000 }), { freq: 10 }),
  });

  test("is not passed in any minute by more than the last call, where what calls take is known", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(ask, { minLength: 60, maxLength: 120 }),
        fc.integer({ min: 5_000, max: 500_000 }),
        async (asks, limit) => {
          const keys = newLane();
          let now = 1_000_000;
          const letGo: { at: number; tokens: number }[] = [];
          for (const { afterMs, worker, tokens, refusedMs } of asks) {
            now += afterMs;
            const pace = new Pace(redis, keys, `w${worker}`, () => now);
            const { calls } = await pace.take({
              ...nothing,
              limits: { tokensPerMinute: limit },
              images: tokens.map(() => 1),
              guesses: tokens.map((amount) => ({ tokens: amount, isKnown: true })),
            });
            for (const amount of tokens.slice(0, calls)) letGo.push({ at: now, tokens: amount });
            if (refusedMs !== null) await pace.refused({ ...refusal, retryAfterMs: refusedMs });
          }
          for (const [first, { at }] of letGo.entries()) {
            const minute = letGo.slice(first).filter((call) => call.at < at + 60_000);
            const before = minute.slice(0, -1).reduce((sum, call) => sum + call.tokens, 0);
            expect(before).toBeLessThanOrEqual(limit);
          }
        },
      ),
      { numRuns: 40 },
    );
  });
});

/** How many times the lane tries in so long whether a limit that only refusals tell was raised. */
function triesIn(ms: number): number {
  return Math.ceil(ms / 90_000);
}

describe("a limit on tokens that nobody gave", () => {
  test.each([
    { tells: "words", limitBurst: 0.1, mostRefused: triesIn(240_000) },
    { tells: "headers", limitBurst: 1, mostRefused: 0 },
  ] as const)("is kept once it is told (%o)", async ({ tells, limitBurst, mostRefused }) => {
    const provider = { tokensPerMinute, limitBurst };
    const stage = openStage({ guess: known, take: equal }, { limits: {}, tells, provider });
    await stage.pass(120_000);
    await stage.pass(240_000);
    const { tokens, refused } = stage.last(240_000);
    expect(refused).toBeLessThanOrEqual(mostRefused);
    expect(tokens).toBeGreaterThanOrEqual(0.95 * 4 * tokensPerMinute);
  });

  test.each([0.03, 4])(
    "is used also where the provider counts %d times what its answers tell, as its refusals say",
    async (counted) => {
      const stage = openStage(
        { guess: known, take: equal, counted },
        {
          limits: {},
          tells: "words",
          provider: { tokensPerMinute: tokensPerMinute * counted, limitBurst: 0.1 },
        },
      );
      await stage.pass(60_000);
      await stage.pass(240_000);
      const { tokens, refused } = stage.last(240_000);
      expect(refused).toBeLessThanOrEqual(triesIn(240_000));
      expect(tokens).toBeGreaterThanOrEqual(0.95 * 4 * tokensPerMinute * counted);
    },
  );
});

test("calls of which nobody knows what they take go one at a time until the first answer", async () => {
  const keys = newLane();
  let now = 1_000_000;
  const [a, b] = ["a", "b"].map((worker) => new Pace(redis, keys, worker, () => now));
  const calls = {
    ...nothing,
    limits: { tokensPerMinute: 600_000 },
    images: [1, 1],
    guesses: [unknown, unknown],
  };
  expect(await a!.take(calls)).toMatchObject({ calls: 1, why: "tokens" });
  now += 5_000;
  expect(await b!.take(calls)).toMatchObject({ calls: 0, why: "tokens" });
  const tokens = { answers: 1, told: 2_000, guessed: 1_000, off: 2_000 };
  const told = await a!.take({ ...calls, answered: 1, latencyMs: 5_000, tokens });
  expect(told).toMatchObject({ calls: 2, tokensPerMinute: 600_000, tokenFactor: 2 });
});

/** The waits of the next two calls where one took so many tokens more than were set aside for it. */
async function waitsAfter(off: number): Promise<number[]> {
  let now = 1_000_000;
  const pace = new Pace(redis, newLane(), "w", () => now);
  const guess = { tokens: 2_000, isKnown: true };
  const call = { ...nothing, limits: { tokensPerMinute: 60_000 }, images: [1], guesses: [guess] };
  await pace.take(call);
  const tokens = { answers: 0, told: 0, guessed: 0, off };
  const { waitMs } = await pace.take({ ...call, answered: 1, tokens });
  now += waitMs;
  await pace.take(call);
  return [waitMs, (await pace.take(call)).waitMs];
}

test("what a call took more than was set aside for it is waited for, and what it took less is the next one's", async () => {
  // A token takes 1.005 ms, a quarter of a second may be early, and waits are whole milliseconds.
  expect(await waitsAfter(0)).toEqual([1_760, 2_010]);
  expect(await waitsAfter(5_000)).toEqual([1_760 + 5_025, 2_010]);
  expect(await waitsAfter(-500)).toEqual([1_760, 2_010 - 502]);
});

test("what was used of a limit on tokens stays used where the limit is lowered", async () => {
  let now = 1_000_000;
  const pace = new Pace(redis, newLane(), "w", () => now);
  const takeOf = (limit: number) =>
    pace.take({
      ...nothing,
      limits: { tokensPerMinute: limit },
      images: [1],
      guesses: [{ tokens: 10_000, isKnown: true }],
    });
  await takeOf(60_000);
  const { waitMs } = await takeOf(60_000);
  expect(waitMs).toBeGreaterThan(9_000);
  // The same tokens take twice as long to come back, but for the slack.
  expect((await takeOf(30_000)).waitMs).toBeGreaterThan(2 * waitMs);
});

test("a limit on tokens is kept as if no time had passed where Redis is replaced by one whose clock is behind", async () => {
  let now = 1_000_000;
  const pace = new Pace(redis, newLane(), "w", () => now);
  const call = {
    ...nothing,
    limits: { tokensPerMinute: 60_000 },
    images: [1],
    guesses: [{ tokens: 5_000, isKnown: true }],
  };
  expect((await pace.take(call)).calls).toBe(1);
  const before = await pace.take(call);
  expect(before).toMatchObject({ calls: 0, why: "tokens" });
  now -= 60_000;
  expect(await pace.take(call)).toEqual(before);
});
