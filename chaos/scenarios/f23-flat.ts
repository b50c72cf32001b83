import { existsSync, mkdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { readJournalOf } from "../../test/helpers/run-files.ts";
import type { RunningCli } from "../../test/helpers/cli.ts";
import type { Arena } from "../arena.ts";
import { faultsOf, type Scenario } from "../scenario.ts";
import { endedWith, enqueuedRun } from "./enqueued-run.ts";

const preload = fileURLToPath(new URL("../preload-alive.ts", import.meta.url));
const sampleMs = 500;
const limit = 1.1;
/** A leak of fewer bytes a prompt cannot be told from what happens to be in flight. A producer keeps one byte on purpose. */
const mostKept = 50;

interface Sample {
  /** Size of the journal: how far the run is. */
  journalBytes: number;
  producerMb: number;
  workerMb: number;
  redisMb: number;
  /** Alive after the last full collection; 0 before the first. */
  producerAlive: number;
  workerAlive: number;
}

function rssMb({ pid }: RunningCli): number {
  const [, pages = "0"] = readFileSync(`/proc/${pid}/statm`, "utf8").split(" ");
  return (Number(pages) * 4096) / 1e6;
}

/** Bytes that a process says are alive. */
function alive(folder: string, { pid }: RunningCli): number {
  const file = join(folder, `${pid}`);
  return existsSync(file) ? Number(readFileSync(file, "utf8")) : 0;
}

async function sampleUntilEnd(arena: Arena, out: string, producer: RunningCli, worker: RunningCli) {
  const samples: Sample[] = [];
  const folder = arena.env["CHAOS_ALIVE"]!;
  const memory = () => arena.ask((redis) => redis.info("memory"));
  while (producer.alive) {
    const used = Number(/^used_memory:(\d+)/m.exec(await memory())?.[1] ?? 0) / 1e6;
    if (!producer.alive) break;
    samples.push({
      journalBytes: journalSize(out),
      producerMb: rssMb(producer),
      workerMb: rssMb(worker),
      redisMb: used,
      producerAlive: alive(folder, producer),
      workerAlive: alive(folder, worker),
    });
    await delay(sampleMs);
  }
  return samples;
}

function journalSize(out: string): number {
  return statSync(join(out, ".imagemill", "journal.jsonl"), { throwIfNoEntry: false })?.size ?? 0;
}

/** The mean of the samples of a part of the run, by its journal; parts are shares from 0 up to 1. */
function meanOf(samples: readonly Sample[], from: number, to: number, key: keyof Sample): number {
  const whole = samples.at(-1)?.journalBytes ?? 0;
  const part = samples.filter(
    ({ journalBytes }) => journalBytes >= from * whole && journalBytes < to * whole,
  );
  return part.reduce((sum, sample) => sum + sample[key], 0) / Math.max(1, part.length);
}

export const flat: Scenario = {
  id: "F23",
  title: "many prompts, no latency: memory does not grow with them",
  alone: true,
  play: async (arena) => {
    await arena.openProvider();
    await arena.openRedis("--auto-aof-rewrite-min-size", "16mb");
    arena.env["CHAOS_ALIVE"] = join(arena.folder, "alive");
    mkdirSync(arena.env["CHAOS_ALIVE"]);
    arena.env["NODE_OPTIONS"] = `--import ${preload}`;
    const run = enqueuedRun(arena, { prompts: arena.size(200_000, 2_000) });
    const producer = run.enqueue();
    const worker = arena.work(50);
    const samples = await sampleUntilEnd(arena, run.out, producer, worker);
    const faults = await endedWith(producer, 0);
    const growth = (["producerMb", "workerMb", "redisMb"] as const).map((key) => ({
      key,
      ratio: meanOf(samples, 0.9, 1, key) / meanOf(samples, 0.1, 0.2, key),
    }));
    const kept = (["producerAlive", "workerAlive"] as const).map((key) => {
      const more = meanOf(samples, 0.75, 1, key) - meanOf(samples, 0.1, 0.35, key);
      return more / (0.65 * run.prompts);
    });
    const writing =
      meanOf(samples, 1, Infinity, "producerMb") / meanOf(samples, 0.1, 0.2, "producerMb");
    const shown = [
      ...growth.map(({ key, ratio }) => `${key} ${ratio.toFixed(2)}x`),
      `producer while it writes the outputs ${writing.toFixed(2)}x`,
      `kept of each prompt: producer ${kept[0]!.toFixed(0)}, worker ${kept[1]!.toFixed(0)} bytes`,
    ].join(", ");
    // A short run ends before its processes have reached the size that they keep.
    const isFlat = arena.short || growth.every(({ ratio }) => ratio <= limit);
    const isLean = arena.short || kept.every((bytes) => bytes <= mostKept);
    const settled = arena.short ? readJournalOf(run.out).length : run.prompts;
    return {
      verdict: await run.judge(),
      out: run.out,
      faults: [
        ...faults,
        ...faultsOf({
          [`the last tenth is at most ${limit}x the second one: ${shown}`]: isFlat,
          [`at most ${mostKept} bytes of each prompt are kept: ${shown}`]: isLean,
          [`every prompt is in the journal, got ${settled}`]: settled === run.prompts,
        }),
      ],
      note: shown,
    };
  },
};
