import { setTimeout as delay } from "node:timers/promises";
import type { Scenario } from "../scenario.ts";
import { endedWith, enqueuedRun } from "./enqueued-run.ts";

/** Longer than a job's lock, so that every job in flight is given out again. */
const frozenMs = 11_000;

export const redisFrozen: Scenario = {
  id: "F5",
  title: "Redis is frozen for longer than the lock while calls are in flight in living workers",
  play: async (arena) => {
    const provider = await arena.openProvider({ latencyMs: 14_000 });
    const redis = await arena.openRedis();
    const run = enqueuedRun(arena, { prompts: arena.size(80, 20), generations: 2 });
    const producer = run.enqueue();
    arena.work(10);
    arena.work(10);
    await provider.called(20);
    arena.brokenNow();
    process.kill(redis.pid, "SIGSTOP");
    try {
      await delay(frozenMs);
    } finally {
      process.kill(redis.pid, "SIGCONT");
    }
    const faults = await endedWith(producer, 0);
    return { verdict: await run.judge(), out: run.out, faults };
  },
};
