import type { Arena } from "../arena.ts";
import { judgedTogether } from "../judge.ts";
import { faultsOf, type Scenario } from "../scenario.ts";
import { until } from "../until.ts";
import { endedWith, enqueuedRun, oneAtATime, type EnqueuedRun } from "./enqueued-run.ts";

const small = 100;
const limit = 3;

/**
 * Seconds that a run of 100 prompts takes from its producer's start to its end: the middle one of so many runs, which are
 * added to `runs`.
 */
async function smallRuns(
  arena: Arena,
  runs: EnqueuedRun[],
  name: string,
  times: number,
): Promise<number> {
  const seconds: number[] = [];
  for (let i = 0; i < times; i++) {
    const named = { name: `${name}-${i}`, mark: `${name}-${i}` };
    const run = enqueuedRun(arena, { prompts: small, model: oneAtATime, ...named });
    runs.push(run);
    const startedAt = Date.now();
    const end = await run.enqueue().ended;
    if (end.code !== 0) throw new Error(`the small run ended with ${end.code}:\n${end.stderr}`);
    seconds.push((Date.now() - startedAt) / 1000);
  }
  return seconds.toSorted((a, b) => a - b)[Math.floor(times / 2)]!;
}

export const twoRuns: Scenario = {
  id: "F18",
  title: "two producers on one run; a large run beside a small one",
  alone: true,
  play: async (arena) => {
    await arena.openProvider({ latencyMs: 300, jitter: 0.2 });
    await arena.openRedis();
    const large = enqueuedRun(arena, {
      prompts: arena.size(100_000, 2_000),
      model: oneAtATime,
      name: "large",
    });
    const runs: EnqueuedRun[] = [];
    const times: string[] = [];
    const faults: string[] = [];
    for (const concurrency of arena.short ? [50] : [2, 50]) {
      const worker = arena.work(concurrency);
      // Short ones are mostly the start of a process, which takes as long as the machine lets it.
      const repeats = concurrency === 2 ? 1 : 3;
      // Finding a lane that is new to the worker takes time as well, and would make the rest look short.
      await smallRuns(arena, runs, `first-${concurrency}`, 1);
      const alone = await smallRuns(arena, runs, `alone-${concurrency}`, repeats);
      const producer = large.enqueue();
      await until("the large run to be under way", () => /\d+ in flight/.test(producer.stderr));
      if (concurrency === 50) faults.push(...(await endedWith(large.enqueue(), 2)));
      const beside = await smallRuns(arena, runs, `beside-${concurrency}`, repeats);
      times.push(`${(beside / alone).toFixed(1)}x at concurrency ${concurrency}`);
      faults.push(
        ...faultsOf({
          [`at most ${limit}x beside a large run, got ${times.at(-1)}`]: beside <= limit * alone,
        }),
      );
      producer.kill("SIGINT");
      await producer.ended;
      worker.kill("SIGTERM");
      await worker.ended;
    }
    // The large run is not played to its end.
    const verdict = judgedTogether(await Promise.all(runs.map((run) => run.judge())));
    return { verdict, out: runs.at(-1)!.out, faults, note: times.join(", ") };
  },
};
