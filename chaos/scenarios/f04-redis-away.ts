import { setTimeout as delay } from "node:timers/promises";
import type { Arena } from "../arena.ts";
import { faultsOf, type Scenario } from "../scenario.ts";
import { until } from "../until.ts";
import { endedWith, enqueuedRun, oneAtATime } from "./enqueued-run.ts";

const concurrency = 10;
const limitMs = 15_000;

/** Kills Redis, starts it again after a while, and gives how long it then took until a call was made. */
async function outage(arena: Arena, awayMs: number, startWork?: () => void): Promise<number> {
  const { provider, redis } = arena;
  await arena.noteRedisMemory();
  arena.brokenNow();
  await redis.kill();
  await delay(awayMs);
  await provider.quiet();
  const { calls } = await provider.summary();
  await redis.start();
  const backAt = Date.now();
  startWork?.();
  await until("a call after the outage", async () => (await provider.summary()).calls > calls);
  return Date.now() - backAt;
}

export const redisAway: Scenario = {
  id: "F4",
  title: "Redis is killed and stays away, workers busy and idle",
  play: async (arena) => {
    const provider = await arena.openProvider({ latencyMs: 300, jitter: 0.5 });
    await arena.openRedis();
    const outages = arena.short ? [3_000] : [3_000, 15_000, 60_000];
    const run = enqueuedRun(arena, {
      prompts: outages.length * 100,
      generations: 2,
      model: oneAtATime,
    });
    arena.work(concurrency);
    arena.work(concurrency);
    await until("an idle worker", () => /working/.test(arena.processes.printed));
    let producer = undefined as ReturnType<typeof run.enqueue> | undefined;
    const wentOnMs = [await outage(arena, outages[0]!, () => (producer = run.enqueue()))];
    for (const [i, awayMs] of outages.entries()) {
      await provider.called((i + 1) * 100);
      arena.mayBuyTwice += 2 * concurrency;
      wentOnMs.push(await outage(arena, awayMs));
    }
    const slowest = Math.max(...wentOnMs);
    const faults = [
      ...(await endedWith(producer!, 0)),
      ...faultsOf({ [`goes on within ${limitMs} ms, took ${slowest}`]: slowest <= limitMs }),
    ];
    const note = `went on ${wentOnMs.map((ms) => (ms / 1000).toFixed(1)).join(", ")} s after its return`;
    return { verdict: await run.judge(), out: run.out, faults, note };
  },
};
