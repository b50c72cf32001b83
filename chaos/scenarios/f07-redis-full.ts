import { setTimeout as delay } from "node:timers/promises";
import type { Redis } from "ioredis";
import { faultsOf, type Scenario } from "../scenario.ts";
import { endedWith, enqueuedRun, oneAtATime } from "./enqueued-run.ts";

/** Keys of another tenant of the same Redis. */
const tenantKey = (i: number) => `tenant:${i}`;
const most = 5_000;

/** Fills Redis with another tenant's keys until it takes no more. Gives how many. */
async function fill(redis: Redis): Promise<number> {
  for (let i = 0; i < most; i++) {
    try {
      await redis.set(tenantKey(i), "x".repeat(10_000));
    } catch (error) {
      if (error instanceof Error && error.message.startsWith("OOM")) return i;
      throw error;
    }
  }
  throw new Error(`${most} keys did not fill Redis`);
}

export const redisFull: Scenario = {
  id: "F7",
  title: "Redis is at maxmemory, filled by another tenant",
  play: async (arena) => {
    const provider = await arena.openProvider({ latencyMs: 100, jitter: 0.5 });
    await arena.openRedis("--maxmemory", "12mb");
    const run = enqueuedRun(arena, {
      prompts: arena.size(1_500, 150),
      generations: 2,
      model: oneAtATime,
    });
    const producer = run.enqueue();
    arena.work(20);
    await provider.called(60);
    arena.brokenNow();
    const keys = await arena.ask(fill);
    await delay(arena.size(30_000, 6_000));
    await arena.ask(async (redis) => {
      for (let i = 0; i < keys; i++) await redis.del(tenantKey(i));
    });
    arena.brokenNow();
    const faults = await endedWith(producer, 0);
    const rate = arena.processes.logLinesPerSecond;
    return {
      verdict: await run.judge(),
      out: run.out,
      faults: [...faults, ...faultsOf({ [`at most 5 log lines/s, got ${rate}`]: rate <= 5 })],
    };
  },
};
