import { execFileSync } from "node:child_process";
import { mkdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { readJournalOf } from "../../test/helpers/run-files.ts";
import { faultsOf, type Scenario } from "../scenario.ts";
import { endedWith, enqueuedRun } from "./enqueued-run.ts";

/** Lets no file of a process grow beyond `bytes`: writing fails as on a full disk. */
function limitFiles(pid: number, bytes: string): void {
  execFileSync("prlimit", ["--pid", String(pid), `--fsize=${bytes}:`]);
}

/** Puts a file where a run keeps images that are being written: the folder cannot be used until it is mended. */
function breakTemporary(out: string): () => void {
  const temporary = join(out, ".imagemill", "tmp");
  renameSync(temporary, `${temporary}-away`);
  writeFileSync(temporary, "");
  return () => {
    rmSync(temporary);
    mkdirSync(temporary);
    rmSync(`${temporary}-away`, { recursive: true });
  };
}

export const storageTrouble: Scenario = {
  id: "F11",
  title: "the disk is full, then one run's directory cannot be written to",
  play: async (arena) => {
    const provider = await arena.openProvider({ latencyMs: 100, imageBytes: 50_000 });
    await arena.openRedis();
    const prompts = arena.size(600, 200);
    const run = enqueuedRun(arena, { prompts });
    const other = enqueuedRun(arena, { prompts, name: "other" });
    const producers = [run.enqueue(), other.enqueue()];
    const worker = arena.work(10);
    await arena.settled(10);
    await arena.settled(10, other.out);
    arena.brokenNow();
    limitFiles(worker.pid, "20000");
    await delay(3_000);
    const whileFull = [run, other].map(({ out }) => readJournalOf(out).length);
    limitFiles(worker.pid, "unlimited");
    await arena.settled(whileFull[0]! + 10);
    arena.brokenNow();
    const mend = breakTemporary(run.out);
    const before = readJournalOf(other.out).length;
    await arena.settled(Math.min(prompts, before + 20), other.out);
    mend();
    const ends = await Promise.all(producers.map((producer) => endedWith(producer, 0)));
    const calls = await provider.calls();
    // Both runs have the same prompts: together they need two images of each.
    const verdict = await run.judge({ calls: [] });
    const second = await other.judge({ calls: [] });
    const bought = calls.reduce((sum, { images }) => sum + images, 0);
    return {
      verdict: { ...verdict, calls: calls.length, boughtTwice: bought - 2 * prompts },
      out: run.out,
      faults: [
        ...ends.flat(),
        ...faultsOf({
          "the other run lost nothing": second.lost + second.falseFailures === 0,
          "the worker says what is wrong": /storage is in trouble/.test(worker.stderr),
          "it says that it works again": /storage works again/.test(worker.stderr),
        }),
      ],
    };
  },
};
