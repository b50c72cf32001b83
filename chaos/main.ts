import { parseArgs } from "node:util";
import { play, type Report } from "./play.ts";
import { reportLine } from "./report-line.ts";
import { scenarios } from "./scenarios/index.ts";
import { playAll } from "./schedule.ts";

/** All that were asked for end within this time: what is still played then is ended and has failed. */
const boundMinutes = 15;
/** So does a single one within this time. */
const limitMs = 5 * 60_000;

const usage = `npm run chaos -- [F1 F4 …] [--short] [--seed N] [--at-once N] [--json]

Breaks real processes on a seeded schedule and judges by three ledgers: prompts accepted, calls that the provider saw,
files on disk. One line a scenario, in their order; exit code 1 where a criterion did not hold. Those that judge
throughput, short times or memory are played first and alone, the others side by side. A scenario that takes longer than
${limitMs / 60_000} minutes, or is not over when all have taken ${boundMinutes}, is ended and has failed.

  --short      the form that \`npm test\` plays
  --seed N     another schedule (default 1)
  --at-once N  scenarios side by side (default 3)
  --json       one object a scenario
  --list       only the names of the scenarios`;

async function main(argv: string[]): Promise<number> {
  const { values, positionals } = parseArgs({
    args: argv,
    allowPositionals: true,
    options: {
      short: { type: "boolean", default: false },
      seed: { type: "string", default: "1" },
      "at-once": { type: "string", default: "3" },
      json: { type: "boolean", default: false },
      list: { type: "boolean", default: false },
      help: { type: "boolean", default: false },
    },
  });
  const unknown = positionals.find((name) => scenarios.every(({ id }) => id !== name));
  const seed = Number(values.seed);
  const atOnce = Number(values["at-once"]);
  const isUsable = Number.isSafeInteger(seed) && Number.isSafeInteger(atOnce) && atOnce >= 1;
  if (values.help || unknown !== undefined || !isUsable) {
    process.stderr.write(unknown === undefined ? usage : `unknown scenario ${unknown}\n\n${usage}`);
    return values.help ? 0 : 2;
  }
  const chosen = scenarios.filter(({ id }) => positionals.length === 0 || positionals.includes(id));
  if (values.list) {
    for (const { id, title } of chosen) process.stdout.write(`${id}  ${title}\n`);
    return 0;
  }
  const end = Date.now() + boundMinutes * 60_000;
  const reports: Report[] = [];
  for await (const report of playAll(chosen, {
    atOnce,
    play: (scenario) => {
      const leftMs = Math.max(0, end - Date.now());
      return play(scenario, { seed, short: values.short, limitMs: Math.min(limitMs, leftMs) });
    },
  })) {
    reports.push(report);
    process.stdout.write(`${values.json ? JSON.stringify(report) : reportLine(report)}\n`);
    for (const fault of report.faults) process.stderr.write(`  ${report.id}: ${fault}\n`);
  }
  const failed = reports.filter(({ faults }) => faults.length > 0);
  process.stderr.write(`${reports.length - failed.length} passed, ${failed.length} failed\n`);
  return failed.length === 0 ? 0 : 1;
}

// What an ended scenario still has to do is not waited for.
process.exit(await main(process.argv.slice(2)));
