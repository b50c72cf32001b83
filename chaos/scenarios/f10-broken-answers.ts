import { readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { checkImage } from "../../shared/image-check.ts";
import { filesBelow, readJournalOf } from "../../test/helpers/run-files.ts";
import { faultsOf, type Scenario } from "../scenario.ts";
import { endedWith, enqueuedRun } from "./enqueued-run.ts";

const faults = ["hang", "slowBody", "brokenBody", "resetConnection"] as const;

/** Looks at every image as soon as it can be seen, until the signal: gives those that were not whole. */
async function partialImages(out: string, ended: AbortSignal): Promise<string[]> {
  const seen = new Set<string>();
  const partial: string[] = [];
  for (let last = false; ; last = ended.aborted) {
    for (const file of imagesOf(out).filter((name) => !seen.has(name))) {
      seen.add(file);
      try {
        checkImage(readFileSync(join(out, "images", file)));
      } catch {
        partial.push(file);
      }
    }
    if (last) return partial;
    await delay(20);
  }
}

function imagesOf(out: string): string[] {
  try {
    return filesBelow(join(out, "images"));
  } catch {
    // Not there yet.
    return [];
  }
}

export const brokenAnswers: Scenario = {
  id: "F10",
  title: "calls hang, trickle, are cut off and reset",
  play: async (arena) => {
    const share = 0.04;
    const provider = await arena.openProvider({
      latencyMs: 50,
      slowBodyMs: 6_000,
      imageBytes: 100_000,
      faults: Object.fromEntries(faults.map((fault) => [fault, share])),
    });
    await arena.openRedis();
    const run = enqueuedRun(arena, { prompts: arena.size(1_000, 120) });
    const producer = run.enqueue("--timeout", "2s");
    arena.work(20);
    const ended = new AbortController();
    const watching = partialImages(run.out, ended.signal);
    const wrongEnd = await endedWith(producer, 0);
    ended.abort();
    const partial = await watching;
    const calls = await provider.calls();
    // Made, billed, and never received whole: these have to be asked for again.
    arena.mayBuyTwice += calls.filter(({ fault }) => fault !== null).length;
    const outcomes = new Set(
      readJournalOf(run.out).flatMap(({ attempts }) => attempts.map(({ outcome }) => outcome)),
    );
    return {
      verdict: await run.judge({ calls }),
      out: run.out,
      faults: [
        ...wrongEnd,
        ...faultsOf({
          [`no partial image, got ${partial.join(", ")}`]: partial.length === 0,
          "time-outs are named so": outcomes.has("timeout"),
          "broken connections are named so":
            outcomes.has("unavailable") || outcomes.has("bad_response"),
        }),
      ],
    };
  },
};
