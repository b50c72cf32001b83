import { availableParallelism, totalmem } from "node:os";
import { setImmediate as turn } from "node:timers/promises";
import { InvalidArgumentError } from "commander";
import { wholeNumber } from "./numbers.ts";

/** One process keeps one core busy: more than a few for each only take each other's time. */
const mostPerCore = 4;
/** What a worker takes before its first call. */
const leastMegabytes = 90;

/** How many worker processes this machine, or the container it is for this process, has cores and memory for; 1 at least. */
export function mostProcesses(
  cores = availableParallelism(),
  bytes = Math.min(totalmem(), process.constrainedMemory() || totalmem()),
): number {
  return Math.max(1, Math.min(cores * mostPerCore, Math.floor(bytes / (leastMegabytes * 1e6))));
}

/** What bounds {@link mostProcesses}, for people. */
export const processBound = `${mostPerCore} for each core, each ${leastMegabytes} MB of memory`;

/** A parser for a number of worker processes that this machine can bear. */
export function processCount(text: string): number {
  const count = wholeNumber(1)(text);
  const most = mostProcesses();
  if (count <= most) return count;
  throw new InvalidArgumentError(
    `Expected at most ${most} here (${processBound}), got \`${text}\`.`,
  );
}

/** Starts so many one after another, and no more once the signal is aborted: between two of them signals are heard. */
export async function startEach<T>(
  count: number,
  start: () => T,
  ending: AbortSignal,
): Promise<T[]> {
  const started: T[] = [];
  while (started.length < count && !ending.aborted) {
    started.push(start());
    await turn();
  }
  return started;
}
