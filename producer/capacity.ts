import type { RunFile } from "../shared/run-file.ts";
import type { Heartbeat } from "../shared/heartbeat.ts";

/** Prompts in Redis while it is not known what the workers can take. */
const unknownWindow = 64;
/** Never more prompts than this, however many workers: Redis stays flat, and small runs get their turn. */
const maxWindow = 2_000;
/** Most bytes of a run's prompts in Redis; one prompt may always go, whatever its size. */
export const maxWindowBytes = 16 * 1024 * 1024;
/** As many prompts go first; the rest follows when one of them has come back right. */
export const canaryPrompts = 20;
/** A result is journaled, and others are in the queue, well within this time, also where the event loop is busy. */
const producerTurnSeconds = 0.3;

/** What a window is derived from. */
export interface WindowFacts {
  /** Of the lane's living workers. */
  heartbeats: readonly Heartbeat[];
  /** Runs that share the lane, this one included. */
  runs: number;
  /** `--window`. */
  ceiling: number | undefined;
  /** Whether any prompt of the run has succeeded. */
  proven: boolean;
  /** Prompts of the run that are being settled. */
  settledPerSecond: number;
  /** Calls that a prompt of the run takes. */
  callsPerPrompt: number;
  /** The same for that run of the lane whose prompts take the most. */
  mostCallsPerPrompt: number;
}

/** Calls that a prompt of the run takes. */
export function callsPerPrompt(
  run: Pick<RunFile, "numGenerations" | "maxGenerationsPerCall">,
): number {
  return Math.ceil(run.numGenerations / run.maxGenerationsPerCall);
}

/**
 * How many prompts of a run may be in Redis: as many as take twice the calls that the workers can have in flight, shared
 * by the lane's runs. The queue goes round: who has as many calls in it as the others gets as many done. So none has fewer
 * than one prompt of any of them takes. Where the run is alone, prompts that are done while the producer takes its turn come on
 * top, so that short calls do not wait for it; beside others, a run that is under way would have more in the queue by that than
 * one that begins.
 */
export function windowSize(facts: WindowFacts): number {
  const { heartbeats, runs, ceiling = maxWindow, proven, mostCallsPerPrompt } = facts;
  const capacity = heartbeats
    .filter((beat) => beat.fit)
    .reduce((sum, beat) => sum + beat.concurrency, 0);
  const calls = Math.max((2 * capacity) / Math.max(1, runs), mostCallsPerPrompt);
  // A run that is alone has the next prompt ready when one is done.
  const least = runs > 1 ? 1 : 2;
  const inHand = Math.max(least, Math.ceil(calls / facts.callsPerPrompt));
  const inTurn = runs > 1 ? 0 : Math.floor(facts.settledPerSecond * producerTurnSeconds);
  const wanted = capacity === 0 ? unknownWindow : inHand + inTurn;
  const most = proven ? maxWindow : canaryPrompts;
  return Math.max(1, Math.min(wanted, ceiling, most));
}
