import { faultsOf, type Scenario } from "../scenario.ts";
import { until } from "../until.ts";
import { endedWith, enqueuedRun, oneAtATime } from "./enqueued-run.ts";

const concurrency = 20;
const limitMs = 5_000;

export const everythingKilled: Scenario = {
  id: "F3",
  title: "producer, workers and Redis are killed at once and started again",
  alone: true,
  play: async (arena) => {
    const provider = await arena.openProvider({ latencyMs: 150, jitter: 0.5 });
    const redis = await arena.openRedis();
    const run = enqueuedRun(arena, {
      prompts: arena.size(1_000, 150),
      generations: 2,
      model: oneAtATime,
    });
    const processes = [run.enqueue(), arena.work(concurrency), arena.work(concurrency)];
    await provider.called(100);
    for (const process of processes) process.kill("SIGKILL");
    await arena.noteRedisMemory();
    await redis.kill();
    arena.brokenNow();
    arena.mayBuyTwice += 2 * concurrency;
    await Promise.all(processes.map(({ ended }) => ended));
    await provider.quiet();
    const before = (await provider.summary()).calls;
    await redis.start();
    const startedAt = Date.now();
    const producer = run.enqueue();
    arena.work(concurrency);
    arena.work(concurrency);
    await until("the next call", async () => (await provider.summary()).calls > before);
    const wentOnMs = Date.now() - startedAt;
    const faults = [
      ...(await endedWith(producer, 0)),
      ...faultsOf({ [`goes on within ${limitMs} ms, took ${wentOnMs}`]: wentOnMs <= limitMs }),
    ];
    const note = `went on ${(wentOnMs / 1000).toFixed(1)} s after the start`;
    return { verdict: await run.judge(), out: run.out, faults, note };
  },
};
