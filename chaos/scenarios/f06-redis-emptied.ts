import { rmSync } from "node:fs";
import { join } from "node:path";
import type { Scenario } from "../scenario.ts";
import { endedWith, enqueuedRun, oneAtATime } from "./enqueued-run.ts";

const concurrency = 10;

export const redisEmptied: Scenario = {
  id: "F6",
  title: "Redis is emptied by FLUSHALL, and replaced by an empty one",
  play: async (arena) => {
    const provider = await arena.openProvider({ latencyMs: 200, jitter: 0.5 });
    const redis = await arena.openRedis();
    const run = enqueuedRun(arena, {
      prompts: arena.size(600, 120),
      generations: 2,
      model: oneAtATime,
    });
    const producer = run.enqueue();
    arena.work(concurrency);
    arena.work(concurrency);
    await provider.called(50);
    arena.brokenNow();
    arena.mayBuyTwice += 2 * concurrency;
    await arena.ask((client) => client.flushall());
    await provider.called(arena.size(600, 130));
    await arena.noteRedisMemory();
    arena.brokenNow();
    arena.mayBuyTwice += 2 * concurrency;
    await redis.kill();
    rmSync(join(redis.directory, "appendonlydir"), { recursive: true });
    await redis.start();
    const faults = await endedWith(producer, 0);
    return { verdict: await run.judge(), out: run.out, faults };
  },
};
