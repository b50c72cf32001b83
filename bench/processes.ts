import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";

const node = fileURLToPath(new URL("../node_modules/.bin/node", import.meta.url));
let launcher: string | undefined;

/** Has the command line started by this launcher from now on. */
export function launchWith(path: string): void {
  launcher = path;
}

const running = new Set<ChildProcess>();

/** Ends every process that is still there: for a bench that is interrupted. */
export function killRunning(): void {
  for (const child of running) child.kill("SIGKILL");
}

/** How a process ended. */
export interface ProcessEnd {
  /** From its start to its end. */
  seconds: number;
  peakRssBytes: number;
  stdout: string;
}

/** A process of a benchmark. */
export interface BenchProcess extends AsyncDisposable {
  readonly child: ChildProcess;
  /** Rejects with what it printed where its exit code is not 0. */
  readonly ended: Promise<ProcessEnd>;
}

/** Starts a program of `bench/programs`. */
export function startProgram(
  name: string,
  args: readonly string[],
  env: Record<string, string> = {},
): BenchProcess {
  const path = fileURLToPath(new URL(`programs/${name}.ts`, import.meta.url));
  return start([path, ...args], env);
}

/** Starts the command line, once {@link launchWith} has said which. */
export function startImagemill(
  args: readonly string[],
  env: Record<string, string> = {},
): BenchProcess {
  if (launcher === undefined) throw new Error("expected `launchWith` to have been called before");
  return start([launcher, ...args], env);
}

/** The program that does nothing at all. */
export async function startNode(): Promise<ProcessEnd> {
  await using process = start(["-e", ""], {});
  return await process.ended;
}

function start(args: string[], env: Record<string, string>): BenchProcess {
  const { PATH = "", TMPDIR, HOME = "/nonexistent" } = process.env;
  const child = spawn(node, args, {
    env: { PATH, HOME, ...(TMPDIR !== undefined && { TMPDIR }), ...env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const ended = endOf(child, args);
  ended.catch(() => undefined);
  running.add(child);
  child.once("exit", () => running.delete(child));
  return {
    child,
    ended,
    [Symbol.asyncDispose]: async () => {
      child.kill("SIGTERM");
      await ended.catch(() => undefined);
    },
  };
}

async function endOf(child: ChildProcess, args: readonly string[]): Promise<ProcessEnd> {
  const startedAt = performance.now();
  let stdout = "";
  let stderr = "";
  child.stdout!.setEncoding("utf8").on("data", (text: string) => (stdout += text));
  child.stderr!.setEncoding("utf8").on("data", (text: string) => (stderr += text));
  let peakRssBytes = 0;
  const looking = setInterval(() => {
    void peakOf(child.pid!).then((bytes) => (peakRssBytes = Math.max(peakRssBytes, bytes)));
  }, 50);
  try {
    await once(child, "close");
  } finally {
    clearInterval(looking);
  }
  const seconds = (performance.now() - startedAt) / 1000;
  if (child.exitCode !== 0 && child.signalCode !== "SIGTERM" && child.exitCode !== 143)
    throw new Error(`${args.join(" ")} ended with ${child.exitCode}:\n${stdout}\n${stderr}`);
  return { seconds, peakRssBytes, stdout };
}

/** The most memory that a process has had so far; 0 where that cannot be read (it has ended, or is not on Linux). */
async function peakOf(pid: number): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, "utf8").catch(() => "");
  return Number(/^VmHWM:\s+(\d+) kB$/m.exec(status)?.[1] ?? 0) * 1024;
}
