import { writeFile } from "node:fs/promises";
import { cpus, totalmem } from "node:os";
import { parseArgs } from "node:util";
import { exitCodes } from "../cli/io.ts";
import { wholeNumber } from "../cli/numbers.ts";
import { messageOf } from "../shared/caught.ts";
import { UsageError } from "../shared/usage-error.ts";
import { buildPackage } from "./package.ts";
import { killRunning, launchWith } from "./processes.ts";
import { rows } from "./rows.ts";
import type { Row } from "./row.ts";
import { removeFolders } from "./stage.ts";
import { type RowEnd, tableOf } from "./table.ts";

const help = `npm run bench -- [row…] [--rounds N] [--short] [--json FILE]

Rows (all of them where none is named):
${rows.map(({ name, what }) => `  ${name.padEnd(14)} ${what}`).join("\n")}

  --rounds N   how often baseline and imagemill run in turn (default 5; rows that last minutes run once)
  --short      a fraction of the work, to see that a row works
  --json FILE  the numbers as JSON, too`;

function chosen(names: readonly string[]): readonly Row[] {
  const unknown = names.find((name) => !rows.some((row) => row.name === name));
  if (unknown !== undefined) throw new UsageError(`there is no row \`${unknown}\`\n\n${help}`);
  return names.length === 0 ? rows : rows.filter(({ name }) => names.includes(name));
}

function machine(): Record<string, unknown> {
  const [cpu] = cpus();
  return {
    node: process.version,
    cpu: cpu?.model,
    cores: cpus().length,
    memoryGb: Math.round(totalmem() / 2 ** 30),
    system: `${process.platform} ${process.arch}`,
    at: new Date().toISOString(),
  };
}

/** @throws UsageError for an option that is unknown or wrong */
function readArguments() {
  try {
    const { values, positionals } = parseArgs({
      allowPositionals: true,
      options: {
        rounds: { type: "string", default: "5" },
        short: { type: "boolean", default: false },
        json: { type: "string" },
        help: { type: "boolean", default: false },
      },
    });
    return { values, positionals, rounds: wholeNumber(1)(values.rounds) };
  } catch (error) {
    throw new UsageError(`${messageOf(error)}\n\n${help}`, { cause: error });
  }
}

async function main(): Promise<void> {
  const { values, positionals, rounds } = readArguments();
  if (values.help) return console.log(help);
  const options = { rounds, short: values.short };
  const ends: RowEnd[] = [];
  const wanted = chosen(positionals);
  launchWith(await buildPackage());
  for (const row of wanted) {
    console.error(`${row.name}: ${row.what}; baseline: ${row.baseline}`);
    ends.push({ row, measures: await row.run(options) });
    console.log(tableOf(ends.slice(-1)));
  }
  console.log(`\n${JSON.stringify(machine())}\n\n${tableOf(ends)}`);
  if (values.json !== undefined) {
    const named = ends.map(({ row, measures }) => ({ row: row.name, what: row.what, measures }));
    await writeFile(
      values.json,
      `${JSON.stringify({ machine: machine(), rows: named }, null, 2)}\n`,
    );
  }
}

process.on("exit", () => {
  killRunning();
  removeFolders();
});
for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, () => process.exit(1));
try {
  await main();
} catch (error) {
  if (!(error instanceof UsageError)) throw error;
  console.error(error.message);
  process.exitCode = exitCodes.usage;
}
