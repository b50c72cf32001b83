import { rmSync } from "node:fs";
import { join } from "node:path";
import type { Scenario } from "../scenario.ts";
import { endedWith, enqueuedRun, oneAtATime } from "./enqueued-run.ts";

const concurrency = 20;

export const redisEmptied: Scenario = {
  id: "F6",
  title: "Redis is emptied by FLUSHALL, and replaced by an empty one",
  play: async (arena) => {
    // So slow that prompts are added again while their calls are in flight; nobody dies, so nothing may be bought twice.
    const provider = await arena.openProvider({ latencyMs: 2_000, jitter: 0.7 });
    const redis = await arena.openRedis();
    const run = enqueuedRun(arena, {
      prompts: arena.size(600, 120),
      generations: 2,
      model: oneAtATime,
    });
    const producer = run.enqueue();
    arena.work(concurrency);
    arena.work(concurrency);
    for (const calls of arena.short ? [50] : [50, 300, 600]) {
      await provider.called(calls);
      arena.brokenNow();
      await arena.ask((client) => client.flushall());
    }
    await provider.called(arena.size(800, 130));
    await arena.noteRedisMemory();
    arena.brokenNow();
    await redis.kill();
    rmSync(join(redis.directory, "appendonlydir"), { recursive: true });
    await redis.start();
    const faults = await endedWith(producer, 0);
    return { verdict: await run.judge(), out: run.out, faults };
  },
};
