import type { Arena } from "../arena.ts";
import { faultsOf, type Scenario } from "../scenario.ts";
import { until } from "../until.ts";
import { endedWith, enqueuedRun, oneAtATime } from "./enqueued-run.ts";

const small = 100;
const limit = 3;

/** Seconds that a run of 100 prompts takes from its producer's start to its end: the middle one of so many runs. */
async function smallRuns(arena: Arena, name: string, times: number): Promise<number> {
  const seconds: number[] = [];
  for (let i = 0; i < times; i++) {
    const run = enqueuedRun(arena, { prompts: small, model: oneAtATime, name: `${name}-${i}` });
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
    const provider = await arena.openProvider({ latencyMs: 300, jitter: 0.2 });
    await arena.openRedis();
    const large = enqueuedRun(arena, {
      prompts: arena.size(100_000, 2_000),
      model: oneAtATime,
      name: "large",
    });
    const times: string[] = [];
    const faults: string[] = [];
    for (const concurrency of arena.short ? [50] : [2, 50]) {
      const worker = arena.work(concurrency);
      // Short ones are mostly the start of a process, which takes as long as the machine lets it.
      const repeats = concurrency === 2 ? 1 : 3;
      // Finding a lane that is new to the worker takes time as well, and would make the rest look short.
      await smallRuns(arena, `first-${concurrency}`, 1);
      const alone = await smallRuns(arena, `alone-${concurrency}`, repeats);
      const producer = large.enqueue();
      await until("the large run to be under way", () => /\d+ in flight/.test(producer.stderr));
      if (concurrency === 50) faults.push(...(await endedWith(large.enqueue(), 2)));
      const beside = await smallRuns(arena, `beside-${concurrency}`, repeats);
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
    const run = enqueuedRun(arena, { prompts: small, model: oneAtATime, name: "beside-50-0" });
    const calls = await provider.calls();
    const verdict = { ...(await run.judge({ calls: [] })), calls: calls.length };
    return { verdict, out: run.out, faults, note: times.join(", ") };
  },
};
