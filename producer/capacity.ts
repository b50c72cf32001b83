import type { Heartbeat } from "../shared/heartbeat.ts";

/** Prompts in Redis while it is not known what the workers can take. */
const unknownWindow = 64;
/** Never more prompts than this, nor bytes of them: Redis stays flat, and small runs get their turn. */
const maxWindow = 2_000;
export const maxWindowBytes = 16 * 1024 * 1024;
/** As many prompts go first; the rest follows when one of them has come back right. */
export const canaryPrompts = 20;

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
}

/** How many prompts of a run may be in Redis: twice what the workers can have in flight, shared by the lane's runs. */
export function windowSize({ heartbeats, runs, ceiling = maxWindow, proven }: WindowFacts): number {
  const capacity = heartbeats
    .filter((beat) => beat.fit)
    .reduce((sum, beat) => sum + beat.concurrency, 0);
  const wanted = capacity === 0 ? unknownWindow : Math.ceil((2 * capacity) / Math.max(1, runs));
  const most = proven ? maxWindow : canaryPrompts;
  return Math.max(1, Math.min(wanted, ceiling, most));
}
