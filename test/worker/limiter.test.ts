import { setImmediate } from "node:timers/promises";
import { describe, expect, test } from "vitest";
import { laneKeys } from "../../shared/keys.ts";
import type { LaneLimits } from "../../shared/lane-limits.ts";
import { connectRedis, type RedisClient } from "../../shared/redis.ts";
import { parseRedisTarget } from "../../shared/redis-target.ts";
import { HandBack } from "../../worker/job-moves.ts";
import { Limiter, type Permit } from "../../worker/limiter.ts";
import { Pace } from "../../worker/pace.ts";
import { connectedRedis } from "../helpers/connected-redis.ts";
import { startTestRedis, uniquePrefix } from "../helpers/redis.ts";
import { until } from "../helpers/until.ts";

let redis: RedisClient;
connectedRedis("worker", (client) => (redis = client));

function newLimiter(limits: LaneLimits = {}, mostCalls = 100): Limiter {
  const keys = laneKeys(uniquePrefix(), "{lane}");
  const limiter = new Limiter(new Pace(redis, keys, "w"), mostCalls, () => {});
  limiter.limits = limits;
  return limiter;
}

const always = () => true;

/** Timers that keep this process alive. */
function timers(): number {
  return process.getActiveResourcesInfo().filter((kind) => kind === "Timeout").length;
}

async function scriptCalls(): Promise<number> {
  const stats = await redis.info("commandstats");
  return Number(/cmdstat_evalsha:calls=(\d+)/.exec(stats)?.[1] ?? 0);
}

describe("Limiter", () => {
  test("asks once for all calls that come together, and starts them in order", async () => {
    const limiter = newLimiter();
    await limiter.refresh();
    const before = await scriptCalls();
    const order: number[] = [];
    await Promise.all(
      Array.from({ length: 8 }, async (_, i) => {
        await limiter.enter(1, always);
        order.push(i);
      }),
    );
    expect(order).toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
    expect((await scriptCalls()) - before).toBe(1);
  });

  test("keeps calls back for a limit, says so, and wants jobs for fewer calls meanwhile", async () => {
    const limiter = newLimiter({ requestsPerMinute: 60 });
    expect(limiter.wantedCalls()).toBe(100);
    const started: Permit[] = [];
    for (let call = 0; call < 20; call++)
      void limiter.enter(1, always).then((permit) => permit && started.push(permit));
    await until(() => expect(started).toHaveLength(2));
    expect(started[1]!.startedAt - started[0]!.startedAt).toBeGreaterThan(500);
    expect(limiter.waitingFor).toBe("rate limit, about 60 images/min");
    expect(limiter.wantedCalls()).toBeLessThanOrEqual(8);
  });

  test("says the pace that is kept where the provider told a lower limit than people gave", async () => {
    const keys = laneKeys(uniquePrefix(), "{lane}");
    const pace = new Pace(redis, keys, "w");
    const limiter = new Limiter(pace, 100, () => {});
    limiter.limits = { imagesPerMinute: 600 };
    for (let call = 0; call < 20; call++) void limiter.enter(1, always).catch(() => undefined);
    await until(() => expect(limiter.waitingFor).toBe("rate limit, about 600 images/min"));
    await pace.told({ imagesPerMinute: 300 });
    await until(() => expect(limiter.waitingFor).toBe("rate limit, about 300 images/min"));
  });

  test("lets nobody in while the window is full, and the next as soon as a call ends", async () => {
    const limiter = newLimiter();
    const permits = await Promise.all(Array.from({ length: 10 }, () => limiter.enter(1, always)));
    let isIn = false;
    const next = limiter.enter(1, always).then(() => (isIn = true));
    await limiter.refresh();
    expect(isIn).toBe(false);
    limiter.ended(permits[0]!);
    await next;
  });

  test("never has more calls in flight than it may, whatever the window, and fills each place that gets free", async () => {
    const limiter = newLimiter({}, 3);
    const started: Permit[] = [];
    for (let call = 0; call < 6; call++)
      void limiter.enter(1, always).then((permit) => permit && started.push(permit));
    await until(() => expect(started).toHaveLength(3));
    await limiter.refresh();
    expect(started).toHaveLength(3);
    limiter.answered(started[0]!);
    await until(() => expect(started).toHaveLength(4));
    limiter.ended(started[1]!);
    limiter.ended(started[2]!);
    await until(() => expect(started).toHaveLength(6));
  });

  test("fills the place of a call that was refused once the lane may go on", async () => {
    const limiter = newLimiter({}, 1);
    const first = await limiter.enter(1, always);
    const next = limiter.enter(1, always);
    await limiter.refused(first!, { message: "slow down", retryAfterMs: 200 });
    const permit = await next;
    expect(permit!.startedAt - first!.startedAt).toBeGreaterThanOrEqual(190);
  });

  test("fills the place of a refused call also where Redis could not take the refusal", async () => {
    const keys = laneKeys(uniquePrefix(), "{lane}");
    const limiter = new Limiter(new Pace(redis, keys, "w"), 1, () => {});
    const first = await limiter.enter(1, always);
    const next = limiter.enter(1, always);
    await redis.del(keys.pace);
    await redis.lpush(keys.pace, "no pace");
    const refusal = { message: "slow down", retryAfterMs: 50 };
    await expect(limiter.refused(first!, refusal)).rejects.toThrow("WRONGTYPE");
    await redis.del(keys.pace);
    expect(await next).toMatchObject({ images: 1 });
  });

  test("sends away at once who must leave, and who something else keeps from starting", async () => {
    const limiter = newLimiter({ requestsPerMinute: 1 });
    await limiter.enter(1, always);
    let closed = false;
    let isHeld = false;
    const leaving = limiter.enter(1, () => {
      if (closed) throw new HandBack("the worker closes");
      return true;
    });
    const held = limiter.enter(1, () => !isHeld);
    isHeld = true;
    limiter.wake();
    expect(await held).toBeUndefined();
    closed = true;
    limiter.wake();
    await expect(leaving).rejects.toThrow("the worker closes");
  });

  test("keeps no process alive for calls that have left", async () => {
    const limiter = newLimiter({ requestsPerMinute: 1 });
    await limiter.enter(1, always);
    let isClosed = false;
    const leaving = limiter.enter(1, () => !isClosed);
    while (limiter.waitingFor === undefined) await setImmediate();
    isClosed = true;
    const before = timers();
    limiter.wake();
    expect(timers()).toBe(before - 1);
    expect(await leaving).toBeUndefined();
  });

  test("lets who waits leave while Redis is away, and goes on when it is back", async () => {
    await using own = await startTestRedis();
    const client = connectRedis(parseRedisTarget(own.url), { role: "worker" });
    client.on("error", () => {});
    const pace = new Pace(client, laneKeys(uniquePrefix(), "{lane}"), "w");
    const limiter = new Limiter(pace, 100, () => {});
    await limiter.enter(1, always);
    await own.kill();
    let closed = false;
    const leaving = limiter.enter(1, () => {
      if (closed) throw new HandBack("the worker closes");
      return true;
    });
    const staying = limiter.enter(1, always);
    closed = true;
    limiter.wake();
    await expect(leaving).rejects.toThrow("the worker closes");
    await own.start();
    expect(await staying).toMatchObject({ images: 1 });
    client.disconnect();
  });

  test("plans calls no larger than the provider or the limit of a minute takes", async () => {
    const limiter = newLimiter({ imagesPerMinute: 8 });
    expect(limiter.mostPerCall()).toBe(8);
    await limiter.tooMany(5);
    expect(limiter.mostPerCall()).toBe(5);
    limiter.limits = { tokensPerMinute: 4_000 };
    await limiter.refresh();
    expect(limiter.mostPerCall(() => ({ tokens: 1_056, isKnown: true }))).toBe(3);
    expect(limiter.mostPerCall(() => ({ tokens: 9_000, isKnown: true }))).toBe(1);
    expect(limiter.mostPerCall(() => ({ tokens: 9_000, isKnown: false }))).toBe(5);
  });

  test("keeps calls back for a limit on tokens, says so, and learns from answers what they take", async () => {
    const limiter = newLimiter({ tokensPerMinute: 6_000 });
    const guess = { tokens: 100, isKnown: true };
    const first = await limiter.enter(1, always, guess);
    expect(first).toMatchObject({ setAside: 100 });
    limiter.answered(first!, { usage: { inputTokens: 10, outputTokens: 190 } });
    await limiter.refresh();
    const [second, third] = [limiter.enter(1, always, guess), limiter.enter(1, always, guess)];
    expect(await second).toMatchObject({ setAside: 200 });
    await until(() => expect(limiter.waitingFor).toBe("rate limit, 6,000 tokens/min"));
    expect(limiter.wantedCalls()).toBeLessThan(10);
    expect((await third)!.startedAt - first!.startedAt).toBeGreaterThan(3_000);
  });
});
