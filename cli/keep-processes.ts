import cluster, { type Worker } from "node:cluster";
import { once } from "node:events";
import { setTimeout as delay } from "node:timers/promises";
import { z } from "zod";
import type { Log } from "../shared/log.ts";
import { plural } from "../shared/quantity.ts";
import { exitCodes } from "./io.ts";
import { startEach } from "./process-bound.ts";
import { listenToSignals } from "./signals.ts";
import type { Terminal } from "./terminal.ts";

/** Waits before a process that died is replaced: twice as long each time, up to a minute. */
const firstWaitMs = 1_000;
const longestWaitMs = 60_000;
/** A process that lived so long did not die of its start: the next wait is the first again. */
const healthyMs = 60_000;
/** A process that was told twice to end and has not after this long is killed. */
const killAfterMs = 5_000;

const Exit = z.tuple([z.number().nullable(), z.string().nullable()]);

/** How a process ended that was not asked to. */
interface End {
  pid: number | undefined;
  code: number | null;
  signal: string | null;
}

/**
 * Runs `count` copies of this very command line as processes of a cluster, and replaces those that die. Signals are
 * passed on: at the first one each finishes its calls, at the second each gives them up. Resolves when all have ended
 * with 0, or with the exit code of one that did not.
 */
export async function keepProcesses(count: number, terminal: Terminal, log: Log): Promise<number> {
  const ending = new AbortController();
  // Listens until this process ends: a signal that comes late must not make it look killed.
  listenToSignals(
    terminal,
    () => 0,
    (signal) => {
      terminal.write(
        `${signal}: ${plural(count, "process finishes its", "processes finish their")} calls (again to stop at once)`,
      );
      ending.abort();
      signalAll(signal);
    },
    (signal) => {
      signalAll(signal);
      setTimeout(signalAll, killAfterMs, "SIGKILL").unref();
    },
  );
  const keep = async () => {
    const code = await keepOne(ending.signal, log);
    // What one cannot be started with, no other can.
    if (!ending.signal.aborted) signalAll("SIGTERM");
    ending.abort();
    return code;
  };
  const kept = await startEach(count, keep, ending.signal);
  const codes = await Promise.all(kept);
  return codes.find((code) => code !== exitCodes.done) ?? exitCodes.done;
}

function signalAll(signal: NodeJS.Signals): void {
  for (const child of Object.values(cluster.workers ?? {})) child?.process.kill(signal);
}

/** Keeps one process alive until the end is near, or until it says that it was started wrongly. Gives its exit code. */
async function keepOne(ending: AbortSignal, log: Log): Promise<number> {
  for (let deaths = 0; ;) {
    const startedAt = Date.now();
    const end = await endOf(cluster.fork());
    if (ending.aborted || end.code === exitCodes.usage) return exitCodeOf(end);
    deaths = Date.now() - startedAt >= healthyMs ? 0 : deaths + 1;
    const waitMs = Math.min(longestWaitMs, firstWaitMs * 2 ** Math.max(0, deaths - 1));
    log.error(end, `a worker process ended, another one starts in ${waitMs / 1000} s`);
    await delay(waitMs, undefined, { signal: ending }).catch(() => undefined);
    if (ending.aborted) return exitCodes.done;
  }
}

/** A process that was still starting dies of the signal itself: it had no call in flight. */
function exitCodeOf({ code, signal }: End): number {
  return code ?? (signal === "SIGKILL" ? exitCodes.bug : exitCodes.done);
}

async function endOf(child: Worker): Promise<End> {
  const [code, signal] = Exit.parse(await once(child, "exit"));
  return { pid: child.process.pid, code, signal };
}
