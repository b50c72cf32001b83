import { readResults } from "../../test/helpers/run-files.ts";
import { faultsOf, type Scenario } from "../scenario.ts";
import { endedWith, enqueuedRun, oneAtATime } from "./enqueued-run.ts";

export const retried: Scenario = {
  id: "F15",
  title: "30 % of the prompts fail for good, then `retry` with the fault gone",
  play: async (arena) => {
    const prompts = arena.size(600, 100);
    // Every prompt whose number ends in 1, 4 or 7.
    const bad = [1, 4, 7].map((digit) => ({ match: `${digit} .`, fault: "notAnImage" as const }));
    const provider = await arena.openProvider({ latencyMs: 50, promptFaults: bad });
    await arena.openRedis();
    const run = enqueuedRun(arena, { prompts, generations: 2, model: oneAtATime });
    const first = run.enqueue("--attempts", "2");
    arena.work(20);
    const faults = await endedWith(first, 3);
    const failed = readResults(run.out).filter(({ state }) => state === "failed").length;
    await provider.set({ promptFaults: [] });
    arena.brokenNow();
    faults.push(...(await endedWith(arena.start("retry", run.out, "--json"), 0)));
    const verdict = await run.judge();
    const rate = arena.processes.logLinesPerSecond;
    return {
      verdict,
      out: run.out,
      faults: [
        ...faults,
        ...faultsOf({
          [`${0.3 * prompts} prompts had failed, got ${failed}`]: failed === 0.3 * prompts,
          [`at most 5 log lines/s, got ${rate}`]: rate <= 5,
          [`every image is there, got ${verdict.images}`]: verdict.images === 2 * prompts,
        }),
      ],
    };
  },
};
