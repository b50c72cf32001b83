import { readFileSync } from "node:fs";
import { setTimeout as delay } from "node:timers/promises";
import { readJournalOf } from "../../test/helpers/run-files.ts";
import type { RunningCli } from "../../test/helpers/cli.ts";
import type { Arena } from "../arena.ts";
import { faultsOf, type Scenario } from "../scenario.ts";
import { endedWith, enqueuedRun } from "./enqueued-run.ts";

const sampleMs = 500;
const limit = 1.1;

interface Sample {
  producerMb: number;
  workerMb: number;
  redisMb: number;
}

function rssMb({ pid }: RunningCli): number {
  const [, pages = "0"] = readFileSync(`/proc/${pid}/statm`, "utf8").split(" ");
  return (Number(pages) * 4096) / 1e6;
}

async function sampleUntilEnd(arena: Arena, producer: RunningCli, worker: RunningCli) {
  const samples: Sample[] = [];
  const memory = () => arena.ask((redis) => redis.info("memory"));
  while (producer.alive) {
    const used = Number(/^used_memory:(\d+)/m.exec(await memory())?.[1] ?? 0) / 1e6;
    if (!producer.alive) break;
    samples.push({ producerMb: rssMb(producer), workerMb: rssMb(worker), redisMb: used });
    await delay(sampleMs);
  }
  return samples;
}

/** The mean of a tenth of the samples; tenths count from 0. */
function meanOf(samples: readonly Sample[], tenth: number, key: keyof Sample): number {
  const size = Math.max(1, Math.floor(samples.length / 10));
  const part = samples.slice(tenth * size, (tenth + 1) * size);
  return part.reduce((sum, sample) => sum + sample[key], 0) / Math.max(1, part.length);
}

export const flat: Scenario = {
  id: "F23",
  title: "many prompts, no latency: memory does not grow with them",
  alone: true,
  play: async (arena) => {
    await arena.openProvider();
    await arena.openRedis("--auto-aof-rewrite-min-size", "16mb");
    const run = enqueuedRun(arena, { prompts: arena.size(200_000, 2_000) });
    const producer = run.enqueue();
    const worker = arena.work(50);
    const samples = await sampleUntilEnd(arena, producer, worker);
    const faults = await endedWith(producer, 0);
    const growth = (["producerMb", "workerMb", "redisMb"] as const).map((key) => ({
      key,
      ratio: meanOf(samples, 9, key) / meanOf(samples, 1, key),
    }));
    const shown = growth.map(({ key, ratio }) => `${key} ${ratio.toFixed(2)}x`).join(", ");
    // A short run ends before its processes have reached the size that they keep.
    const isFlat = arena.short || growth.every(({ ratio }) => ratio <= limit);
    const settled = arena.short ? readJournalOf(run.out).length : run.prompts;
    return {
      verdict: await run.judge(),
      out: run.out,
      faults: [
        ...faults,
        ...faultsOf({
          [`the last tenth is at most ${limit}x the second one: ${shown}`]: isFlat,
          [`every prompt is in the journal, got ${settled}`]: settled === run.prompts,
        }),
      ],
      note: shown,
    };
  },
};
