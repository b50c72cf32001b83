import { cpSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { readJournalOf } from "../../test/helpers/run-files.ts";
import type { Arena } from "../arena.ts";
import { judge } from "../judge.ts";
import { faultsOf, type Scenario } from "../scenario.ts";
import { endedWith, enqueuedRun, oneAtATime } from "./enqueued-run.ts";
import { rows } from "./prompts.ts";

const checkout = fileURLToPath(new URL("../../", import.meta.url));
const left: readonly string[] = ["node_modules", ".git", "dist", "runs", "docs", "test"];

function isNewer({ prompt }: { prompt: string }): boolean {
  return prompt.startsWith("newer");
}

/** A copy of this very code whose job data has a newer version; it still reads the older one. Gives its launcher. */
function newerCode(arena: Arena): string {
  const folder = join(arena.folder, "newer");
  for (const name of readdirSync(checkout).filter((entry) => !left.includes(entry))) {
    cpSync(join(checkout, name), join(folder, name), { recursive: true });
  }
  symlinkSync(join(checkout, "node_modules"), join(folder, "node_modules"));
  const path = join(folder, "shared", "job.ts");
  const text = readFileSync(path, "utf8");
  const newer = text.replace("JOB_VERSION = 1", "JOB_VERSION = 2");
  if (newer === text) throw new Error(`${path} does not say its version as this scenario expects`);
  writeFileSync(path, newer);
  return join(folder, "bin", "imagemill.js");
}

export const twoVersions: Scenario = {
  id: "F20",
  title: "workers and producers of two versions of the job format side by side",
  play: async (arena) => {
    const provider = await arena.openProvider({ latencyMs: 100, jitter: 0.5 });
    await arena.openRedis();
    const prompts = arena.size(300, 60);
    const launcher = newerCode(arena);
    const place = { cwd: arena.folder, env: arena.env };
    const older = enqueuedRun(arena, { prompts, generations: 2, model: oneAtATime });
    const newer = arena.out("newer-run");
    const dataset = arena.dataset(
      rows(prompts).map(({ prompt }) => ({ prompt: `newer: ${prompt}` })),
      "newer.jsonl",
    );
    const args = ["enqueue", dataset, "-m", oneAtATime, "-n", "2", "--out", newer, "--json"];
    const producers = [older.enqueue(), arena.processes.startScript(launcher, args, place)];
    const workers = [
      arena.work(5),
      arena.processes.startScript(launcher, ["work", "-c", "5"], place),
    ];
    const ends = await Promise.all(producers.map((producer) => endedWith(producer, 0)));
    const calls = await provider.calls();
    const verdict = judge({ out: newer, prompts, generations: 2, calls: calls.filter(isNewer) });
    const second = await older.judge({ calls: calls.filter((call) => !isNewer(call)) });
    const attempts = readJournalOf(newer).flatMap((line) => line.attempts);
    return {
      verdict,
      out: newer,
      faults: [
        ...ends.flat(),
        ...faultsOf({
          "the older run is whole": second.lost + second.doubled + second.boughtTwice === 0,
          "newer jobs were made by the newer worker alone": attempts.every(({ worker }) =>
            worker.includes(`-${workers[1]!.pid}-`),
          ),
        }),
      ],
    };
  },
};
