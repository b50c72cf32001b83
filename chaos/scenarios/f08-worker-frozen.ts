import { setTimeout as delay } from "node:timers/promises";
import type { Scenario } from "../scenario.ts";
import { endedWith, enqueuedRun } from "./enqueued-run.ts";

const concurrency = 10;
/** Longer than a job's lock and than a heartbeat counts. */
const frozenMs = 12_000;

export const workerFrozen: Scenario = {
  id: "F8",
  title: "a worker's event loop stands still for longer than its locks and heartbeat last",
  play: async (arena) => {
    const provider = await arena.openProvider({ latencyMs: 500, jitter: 0.5 });
    await arena.openRedis();
    const run = enqueuedRun(arena, { prompts: arena.size(400, 120), generations: 2 });
    const producer = run.enqueue();
    const frozen = arena.work(concurrency);
    arena.work(concurrency);
    await provider.called(30);
    arena.brokenNow();
    // Nobody can tell it from one that died: what it has in flight is bought again.
    arena.mayBuyTwice += 2 * concurrency;
    process.kill(frozen.pid, "SIGSTOP");
    try {
      await delay(frozenMs);
    } finally {
      process.kill(frozen.pid, "SIGCONT");
    }
    const faults = await endedWith(producer, 0);
    return { verdict: await run.judge(), out: run.out, faults };
  },
};
