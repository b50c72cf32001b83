import { setTimeout as delay } from "node:timers/promises";
import { readJournalOf } from "../../test/helpers/run-files.ts";
import { faultsOf, type Scenario } from "../scenario.ts";
import { endedWith, enqueuedRun, oneAtATime } from "./enqueued-run.ts";

export const providerAway: Scenario = {
  id: "F19",
  title: "the provider is away; then a parameter that it refuses from the start",
  play: async (arena) => {
    const provider = await arena.openProvider({ latencyMs: 100, jitter: 0.5 });
    await arena.openRedis();
    const run = enqueuedRun(arena, {
      prompts: arena.size(1_000, 150),
      generations: 2,
      model: oneAtATime,
    });
    const producer = run.enqueue();
    arena.work(20);
    arena.work(20);
    await provider.called(60);
    arena.brokenNow();
    await provider.set({ faults: { error503: 0.5, resetConnection: 0.5 } });
    await delay(arena.size(60_000, 8_000));
    const settledMeanwhile = readJournalOf(run.out).filter(({ state }) => state !== "succeeded");
    await provider.set({ faults: {} });
    arena.brokenNow();
    const faults = await endedWith(producer, 0);
    const verdict = await run.judge();
    await provider.set({ refuseParameter: "quality" });
    const before = (await provider.summary()).calls;
    const refused = enqueuedRun(arena, { prompts: 200, model: oneAtATime, name: "refused" });
    faults.push(...(await endedWith(refused.enqueue("-p", "quality=hd"), 4)));
    const wasted = (await provider.summary()).calls - before;
    return {
      verdict,
      out: run.out,
      faults: [
        ...faults,
        ...faultsOf({
          "nothing settled as failed": settledMeanwhile.length === 0,
          [`stops after 20 refusals, got ${wasted}`]: wasted === 20,
        }),
      ],
    };
  },
};
