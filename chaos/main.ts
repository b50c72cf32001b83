import { parseArgs } from "node:util";
import { play, type Report } from "./play.ts";
import { reportLine } from "./report-line.ts";
import { scenarios } from "./scenarios/index.ts";

const usage = `npm run chaos -- [F1 F4 …] [--short] [--seed N] [--json]

Breaks real processes on a seeded schedule and judges by three ledgers: prompts accepted, calls that the provider saw,
files on disk. One line a scenario; exit code 1 where a criterion did not hold.

  --short   the form that \`npm test\` plays
  --seed N  another schedule (default 1)
  --json    one object a scenario
  --list    only the names of the scenarios`;

async function main(argv: string[]): Promise<number> {
  const { values, positionals } = parseArgs({
    args: argv,
    allowPositionals: true,
    options: {
      short: { type: "boolean", default: false },
      seed: { type: "string", default: "1" },
      json: { type: "boolean", default: false },
      list: { type: "boolean", default: false },
      help: { type: "boolean", default: false },
    },
  });
  const unknown = positionals.find((name) => scenarios.every(({ id }) => id !== name));
  const seed = Number(values.seed);
  if (values.help || unknown !== undefined || !Number.isSafeInteger(seed)) {
    process.stderr.write(unknown === undefined ? usage : `unknown scenario ${unknown}\n\n${usage}`);
    return values.help ? 0 : 2;
  }
  const chosen = scenarios.filter(({ id }) => positionals.length === 0 || positionals.includes(id));
  if (values.list) {
    for (const { id, title } of chosen) process.stdout.write(`${id}  ${title}\n`);
    return 0;
  }
  const reports: Report[] = [];
  for (const scenario of chosen) {
    const report = await play(scenario, { seed, short: values.short });
    reports.push(report);
    process.stdout.write(`${values.json ? JSON.stringify(report) : reportLine(report)}\n`);
    for (const fault of report.faults) process.stderr.write(`  ${report.id}: ${fault}\n`);
  }
  const failed = reports.filter(({ faults }) => faults.length > 0);
  process.stderr.write(`${reports.length - failed.length} passed, ${failed.length} failed\n`);
  return failed.length === 0 ? 0 : 1;
}

process.exitCode = await main(process.argv.slice(2));
