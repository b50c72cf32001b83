import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { RunSummary } from "../../shared/run-file.ts";
import { killAtExit } from "./kill-at-exit.ts";

const node = fileURLToPath(new URL("../../node_modules/.bin/node", import.meta.url));
const launcher = fileURLToPath(new URL("../../bin/imagemill.js", import.meta.url));

/** How a command ended, and what it printed. */
export interface CliEnd {
  code: number | null;
  signal: NodeJS.Signals | null;
  stdout: string;
  stderr: string;
  /** What it printed with `--json`. @throws Error with all that it printed where that is not one line of JSON */
  readonly json: unknown;
  /** {@link json} of a command that makes a run go. */
  readonly summary: RunSummary;
}

/** A command that is running. */
export interface RunningCli extends AsyncDisposable {
  readonly pid: number;
  /** What it has printed so far. */
  readonly stdout: string;
  readonly stderr: string;
  /** False once it has ended. */
  readonly alive: boolean;
  readonly ended: Promise<CliEnd>;
  /** Does nothing once it has ended. */
  kill(signal: NodeJS.Signals): void;
}

/** Where a command runs. `env` is all that it sees, but for PATH and TMPDIR, which come from here unless given. */
export interface CliPlace {
  cwd: string;
  env: Record<string, string>;
}

/** Starts the real command line as a process of its own; disposing of it kills it. */
export function startCli(args: readonly string[], place: CliPlace): RunningCli {
  return startScript(launcher, args, place);
}

/** Starts any script of the checkout as a process of its own; disposing of it kills it. */
export function startScript(
  script: string,
  args: readonly string[],
  { cwd, env }: CliPlace,
): RunningCli {
  const { PATH = "", TMPDIR } = process.env;
  const child = spawn(node, [script, ...args], {
    cwd,
    env: { PATH, ...(TMPDIR !== undefined && { TMPDIR }), ...env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const printed = { stdout: "", stderr: "" };
  child.stdout.setEncoding("utf8").on("data", (text: string) => (printed.stdout += text));
  child.stderr.setEncoding("utf8").on("data", (text: string) => (printed.stderr += text));
  const ended = endOf(child, printed);
  killAtExit(child);
  // Who waits for it sees the error; who does not must not crash of it.
  ended.catch(() => undefined);
  return {
    pid: child.pid ?? 0,
    get stdout() {
      return printed.stdout;
    },
    get stderr() {
      return printed.stderr;
    },
    get alive() {
      return child.exitCode === null && child.signalCode === null;
    },
    ended,
    kill: (signal) => void child.kill(signal),
    [Symbol.asyncDispose]: async () => {
      child.kill("SIGKILL");
      await ended.catch(() => undefined);
    },
  };
}

/** Runs the real command line to its end. */
export async function runCli(args: readonly string[], place: CliPlace): Promise<CliEnd> {
  await using cli = startCli(args, place);
  return await cli.ended;
}

async function endOf(child: ChildProcess, printed: { stdout: string; stderr: string }) {
  await once(child, "close");
  const { exitCode: code, signalCode: signal } = child;
  return {
    code,
    signal,
    ...printed,
    get json(): unknown {
      try {
        return JSON.parse(this.stdout);
      } catch (error) {
        const got = `code ${code}, stdout:\n${this.stdout}\nstderr:\n${this.stderr}`;
        throw new Error(`Expected one JSON value on stdout, got ${got}`, { cause: error });
      }
    },
    get summary(): RunSummary {
      return RunSummary.parse(this.json);
    },
  };
}
