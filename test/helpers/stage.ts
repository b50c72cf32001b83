import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { SimulatorOptions } from "../../simulator/settings.ts";
import { type Simulator, startSimulator } from "../../simulator/simulator.ts";
import { type CliEnd, type RunningCli, startCli } from "./cli.ts";
import { readJournalOf } from "./run-files.ts";
import { until } from "./until.ts";

/** All that an end-to-end test plays on: a folder, a simulated provider, and commands that know only these. */
export interface Stage extends AsyncDisposable {
  readonly folder: string;
  /** The run directory that {@link run} uses. */
  readonly out: string;
  readonly simulator: Simulator;
  /** What commands see of the environment; may be changed between two of them. */
  readonly env: Record<string, string>;
  /** Writes a dataset of one JSON object a line and gives its path. */
  dataset(rows: readonly unknown[], name?: string): string;
  /** Runs any command to its end. */
  cli(...args: string[]): Promise<CliEnd>;
  /** Any command, left running; killed when the test ends. */
  startCli(...args: string[]): RunningCli;
  /** `run DATASET --out <out> --json …` to its end. */
  run(dataset: string, ...args: string[]): Promise<CliEnd>;
  /** The same, left running; killed when the test ends. */
  start(dataset: string, ...args: string[]): RunningCli;
  /** Waits until the journal of the run directory has so many lines. */
  settled(lines: number): Promise<void>;
}

/** The prompt of a row of {@link promptRows}. */
export function promptOfRow(row: number): string {
  return `prompt ${row} of a test`;
}

/** Rows `{ prompt: "prompt 0 of a test" }` and so on: no prompt is the beginning of another one. */
export function promptRows(count: number, from = 0): { prompt: string }[] {
  return Array.from({ length: count }, (_, i) => ({ prompt: promptOfRow(from + i) }));
}

/** Sets a stage up. Use it with `await using`: everything ends and is removed with the test. */
export async function openStage(options: SimulatorOptions = {}): Promise<Stage> {
  const folder = mkdtempSync(join(tmpdir(), "imagemill-e2e-"));
  const home = join(folder, "home");
  mkdirSync(home);
  const simulator = await startSimulator(options);
  const started: RunningCli[] = [];
  const out = join(folder, "out");
  const env = {
    HOME: home,
    OPENAI_BASE_URL: `${simulator.url}/v1`,
    HF_BASE_URL: simulator.url,
  };
  const launch = (args: string[]): RunningCli => {
    const cli = startCli(args, { cwd: folder, env });
    started.push(cli);
    return cli;
  };
  const runArgs = (dataset: string, args: string[]) => [
    "run",
    dataset,
    "--out",
    out,
    "--json",
    ...args,
  ];
  return {
    folder,
    out,
    simulator,
    env,
    dataset: (rows, name = "prompts.jsonl") => {
      const path = join(folder, name);
      writeFileSync(path, rows.map((row) => `${JSON.stringify(row)}\n`).join(""));
      return path;
    },
    cli: (...args) => launch(args).ended,
    startCli: (...args) => launch(args),
    run: (dataset, ...args) => launch(runArgs(dataset, args)).ended,
    start: (dataset, ...args) => launch(runArgs(dataset, args)),
    settled: (lines) =>
      until(() => {
        const count = readJournalOf(out).length;
        if (count >= lines) return;
        const printed = started.at(-1)?.stderr;
        throw new Error(
          `Expected ${lines} lines in the journal, got ${count}; stderr:\n${printed}`,
        );
      }, 10),
    [Symbol.asyncDispose]: async () => {
      for (const cli of started) await cli[Symbol.asyncDispose]();
      await simulator.close();
      // A Redis whose run was killed may still be writing.
      rmSync(folder, { recursive: true, force: true, maxRetries: 20, retryDelay: 50 });
    },
  };
}
