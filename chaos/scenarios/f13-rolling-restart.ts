import { QueueEvents } from "bullmq";
import { Redis } from "ioredis";
import { defaultPrefix, laneKeys } from "../../shared/keys.ts";
import { listLanes } from "../../shared/steer.ts";
import type { Arena } from "../arena.ts";
import { faultsOf, type Scenario } from "../scenario.ts";
import { until } from "../until.ts";
import { endedWith, enqueuedRun, oneAtATime } from "./enqueued-run.ts";

const concurrency = 10;

/** Counts jobs that were taken from their worker, as BullMQ tells of them. */
async function watchStalls(arena: Arena) {
  const lane = await until("the lane", async () => {
    return (await arena.ask((redis) => listLanes(redis, defaultPrefix)))[0];
  });
  const connection = new Redis(arena.redis.url, { maxRetriesPerRequest: null });
  const prefix = laneKeys(defaultPrefix, lane).queuePrefix;
  const events = new QueueEvents(lane, { connection, prefix });
  let stalls = 0;
  events.on("stalled", () => (stalls += 1));
  await events.waitUntilReady();
  return async () => {
    await events.close();
    connection.disconnect();
    return stalls;
  };
}

export const rollingRestart: Scenario = {
  id: "F13",
  title: "all workers are restarted by SIGTERM, one after the other, twice",
  play: async (arena) => {
    const provider = await arena.openProvider({ latencyMs: 300, jitter: 0.5 });
    await arena.openRedis();
    const run = enqueuedRun(arena, {
      prompts: arena.size(1_500, 200),
      generations: 2,
      model: oneAtATime,
    });
    const producer = run.enqueue();
    const workers = Array.from({ length: arena.size(4, 2) }, () => arena.work(concurrency));
    const countStalls = await watchStalls(arena);
    const faults: string[] = [];
    for (let round = 0; round < 2; round++) {
      for (const [place, old] of workers.entries()) {
        await provider.called((await provider.summary()).calls + 20);
        arena.brokenNow();
        old.kill("SIGTERM");
        faults.push(...(await endedWith(old, 0)));
        workers[place] = arena.work(concurrency);
      }
    }
    faults.push(...(await endedWith(producer, 0)));
    const stalls = await countStalls();
    return {
      verdict: await run.judge(),
      out: run.out,
      faults: [...faults, ...faultsOf({ [`0 stalls, got ${stalls}`]: stalls === 0 })],
    };
  },
};
