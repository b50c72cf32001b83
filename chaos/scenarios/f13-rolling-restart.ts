import { readJournalOf } from "../../test/helpers/run-files.ts";
import { faultsOf, type Scenario } from "../scenario.ts";
import { endedWith, enqueuedRun, oneAtATime } from "./enqueued-run.ts";

const concurrency = 10;

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
    const images = readJournalOf(run.out).flatMap((line) => line.images);
    const recovered = images.filter((image) => image.recovered).length;
    return {
      verdict: await run.judge(),
      out: run.out,
      faults: [
        ...faults,
        ...faultsOf({ [`0 stalls, got ${recovered} images recovered`]: recovered === 0 }),
      ],
    };
  },
};
