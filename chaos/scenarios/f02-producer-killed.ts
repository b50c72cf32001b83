import type { Scenario } from "../scenario.ts";
import { endedWith, enqueuedRun } from "./enqueued-run.ts";

export const producerKilled: Scenario = {
  id: "F2",
  title: "the producer is killed again and again",
  play: async (arena) => {
    await arena.openProvider({ latencyMs: 100, jitter: 0.5 });
    await arena.openRedis();
    const times = arena.size(20, 3);
    const run = enqueuedRun(arena, { prompts: times * 60, generations: 2 });
    arena.work(20);
    for (let life = 1; life <= times; life++) {
      const doomed = run.enqueue();
      await arena.provider.called(life * 25);
      // Its calls are the workers': nothing may be bought twice for it.
      await arena.kill(doomed, 0);
    }
    const faults = await endedWith(run.enqueue(), 0);
    return { verdict: await run.judge(), out: run.out, faults, note: `${times} kills` };
  },
};
