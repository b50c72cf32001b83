import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { readJournalOf } from "../../test/helpers/run-files.ts";
import type { Arena } from "../arena.ts";
import { judge } from "../judge.ts";
import { faultsOf, type Scenario } from "../scenario.ts";
import { endedWith, oneAtATime } from "./enqueued-run.ts";
import { rows } from "./prompts.ts";

const concurrency = 20;
const poisoned = 7;
const preload = fileURLToPath(new URL("../preload-poison.ts", import.meta.url));

/** Keeps a worker running, as a supervisor does, until the signal. Gives how often it died. */
async function supervise(arena: Arena, ended: AbortSignal): Promise<number> {
  const aborted = once(ended, "abort");
  for (let deaths = 0; ; deaths++) {
    const env = { NODE_OPTIONS: `--import ${preload}` };
    const worker = arena.startWith(env, "work", "-c", `${concurrency}`);
    await Promise.race([worker.ended, aborted]);
    if (ended.aborted) return deaths;
    arena.brokenNow();
    arena.mayBuyTwice += concurrency;
  }
}

export const poisonPrompt: Scenario = {
  id: "F14",
  title: "one prompt takes down every worker that works on it",
  play: async (arena) => {
    await arena.openProvider({ latencyMs: 200, jitter: 0.5 });
    await arena.openRedis();
    const prompts = arena.size(400, 60);
    const all = rows(prompts).map((row, i) => (i === poisoned ? { prompt: "poison" } : row));
    const out = arena.out();
    const dataset = arena.dataset(all);
    const producer = arena.start("enqueue", dataset, "-m", oneAtATime, "--out", out, "--json");
    const ended = new AbortController();
    // Exit code 3: it has finished, one prompt failed.
    const [faults, deaths] = await Promise.all([
      endedWith(producer, 3).finally(() => ended.abort()),
      supervise(arena, ended.signal),
    ]);
    const line = readJournalOf(out).find(({ index }) => index === poisoned);
    const mayFail = new Set([poisoned]);
    return {
      verdict: judge({
        out,
        prompts,
        generations: 1,
        mayFail,
        calls: await arena.provider.calls(),
      }),
      out,
      faults: [
        ...faults,
        ...faultsOf({
          [`it failed as crashed, got ${line?.failures[0]?.kind}`]:
            line?.failures[0]?.kind === "crashed",
          [`at most 5 workers died, got ${deaths}`]: deaths <= 5,
        }),
      ],
      note: `${deaths} workers died`,
    };
  },
};
