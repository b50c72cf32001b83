/** Opens a run directory whose prompts are all settled. `open-run.ts OUT`; prints seconds and memory. */
import { resourceUsage } from "node:process";
import { openRun } from "../../producer/open-run.ts";
import { readRunFile } from "../../shared/run-file.ts";

const out = process.argv[2]!;
const settings = await readRunFile(out);
if (!settings) throw new Error(`${out} is no run directory`);
const startedAt = performance.now();
const run = await openRun({
  out,
  settings,
  queue: async () => {
    throw new Error("a complete run needs no Redis");
  },
  passThrough: false,
});
const seconds = (performance.now() - startedAt) / 1000;
const count = run.progress().settled;
await run.finished;
console.log(JSON.stringify({ seconds, count, peakRssBytes: resourceUsage().maxRSS * 1024 }));
