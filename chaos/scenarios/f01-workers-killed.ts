import { setTimeout as delay } from "node:timers/promises";
import type { RunningCli } from "../../test/helpers/cli.ts";
import type { Arena } from "../arena.ts";
import type { Scenario } from "../scenario.ts";
import { endedWith, enqueuedRun, oneAtATime } from "./enqueued-run.ts";

const concurrency = 20;

/** Kills a random worker again and again, and starts another one in its place. */
async function killAtRandom(arena: Arena, workers: RunningCli[], ended: AbortSignal) {
  const everyMs = arena.size(1_000, 700);
  while (!ended.aborted) {
    await delay(everyMs, undefined, { signal: ended }).catch(() => undefined);
    if (ended.aborted) return;
    const place = Math.floor(arena.random() * workers.length);
    await arena.kill(workers[place]!, concurrency);
    workers[place] = arena.work(concurrency);
  }
}

export const workersKilled: Scenario = {
  id: "F1",
  title: "a random worker of four is killed every second",
  alone: true,
  play: async (arena) => {
    await arena.openProvider({ latencyMs: 200, jitter: 0.5 });
    await arena.openRedis();
    const run = enqueuedRun(arena, {
      prompts: arena.size(5_000, 200),
      generations: 2,
      model: oneAtATime,
    });
    const producer = run.enqueue();
    const workers = Array.from({ length: 4 }, () => arena.work(concurrency));
    await arena.provider.called(10);
    const ended = new AbortController();
    // In the short form the last prompts are made in peace: a killed worker's jobs come back after seconds.
    const peace = arena.short ? arena.settled(run.prompts / 2) : producer.ended;
    const [faults] = await Promise.all([
      endedWith(producer, 0),
      killAtRandom(arena, workers, ended.signal),
      peace.then(() => ended.abort()),
    ]);
    return { verdict: await run.judge(), out: run.out, faults };
  },
};
