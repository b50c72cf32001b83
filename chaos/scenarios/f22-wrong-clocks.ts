import { rmSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { defaultPrefix, laneKeys } from "../../shared/keys.ts";
import { listLanes } from "../../shared/steer.ts";
import type { Arena } from "../arena.ts";
import { faultsOf, type Scenario } from "../scenario.ts";
import { until } from "../until.ts";
import { endedWith, enqueuedRun, oneAtATime } from "./enqueued-run.ts";

const concurrency = 10;
const hourMs = 3_600_000;
const waitMs = 2_000;
const preload = fileURLToPath(new URL("../preload-clock.ts", import.meta.url));

function workerOfClock(arena: Arena, offsetMs: number): void {
  const env = { NODE_OPTIONS: `--import ${preload}`, CHAOS_CLOCK_MS: `${offsetMs}` };
  arena.startWith(env, "work", "-c", `${concurrency}`);
}

/**
 * Lets the result streams count a minute ahead, as they do in a Redis whose clock is: its successor's is behind. libfaketime
 * could set the clock itself, but a redis-server with jemalloc hangs at its start with it.
 */
async function countAhead(arena: Arena): Promise<void> {
  await arena.ask(async (redis) => {
    for (const lane of await listLanes(redis, defaultPrefix)) {
      const keys = laneKeys(defaultPrefix, lane);
      for (const run of await redis.hkeys(keys.runs)) {
        await redis.xadd(keys.results(run), `${Date.now() + 60_000}-0`, "result", "{}");
      }
    }
  });
}

export const wrongClocks: Scenario = {
  id: "F22",
  title: "Redis is replaced by one whose clock is a minute behind; workers' clocks are an hour off",
  play: async (arena) => {
    const provider = await arena.openProvider({
      latencyMs: 200,
      jitter: 0.5,
      faultRetryAfterMs: waitMs,
      retryAfter: "date",
      promptFaults: [{ match: "number 20 .", fault: "rateLimited", times: 1 }],
    });
    const redis = await arena.openRedis();
    const run = enqueuedRun(arena, {
      prompts: arena.size(600, 150),
      generations: 2,
      model: oneAtATime,
    });
    const producer = run.enqueue();
    workerOfClock(arena, hourMs);
    workerOfClock(arena, -hourMs);
    await provider.called(100);
    await countAhead(arena);
    await until("results after that", async () => (await provider.summary()).calls >= 150);
    arena.brokenNow();
    arena.mayBuyTwice += 2 * concurrency;
    await arena.noteRedisMemory();
    await redis.kill();
    rmSync(join(redis.directory, "appendonlydir"), { recursive: true });
    await redis.start();
    const faults = await endedWith(producer, 0);
    const calls = await provider.calls();
    const refused = calls.filter(({ fault }) => fault === "rateLimited");
    // A date is read by clocks that are an hour off: it may be kept for too long, but not for an hour.
    const early = calls.filter(({ startedAt }) =>
      refused.some(({ endedAt }) => startedAt > endedAt! + 800 && startedAt < endedAt! + 1_000),
    );
    return {
      verdict: await run.judge({ calls }),
      out: run.out,
      faults: [
        ...faults,
        ...faultsOf({
          [`Retry-After is kept, ${early.length} calls too early`]: early.length === 0,
        }),
      ],
    };
  },
};
