import type { RunFile, RunSummary } from "./run-file.ts";
import type { Steering } from "./steering.ts";

/** How a run is that no producer has open. */
export interface RestingState {
  /** Undefined where it neither ended nor was steered. */
  state: RunSummary["state"] | Steering["state"] | undefined;
  reason?: string | undefined;
  /** It ended as cancelled, and the cancel was taken back. */
  isTakenBack?: true;
}

/** Whether every prompt was settled when a run last ended. */
export function isOver({ summary }: Pick<RunFile, "summary">): boolean {
  return summary?.state.startsWith("completed") === true;
}

/**
 * How a run is while no producer has it open, by what its directory says: how it is steered goes before how it ended, unless
 * nothing was left to be done.
 */
export function restingState(
  file: Pick<RunFile, "summary">,
  steering: Steering | undefined,
): RestingState {
  const { summary } = file;
  if (steering && !isOver(file)) return { state: steering.state, reason: steering.reason };
  // A cancel stands as long as the directory says so, and the summary is of the life before.
  if (summary?.state === "cancelled") return { state: "stopped", isTakenBack: true };
  return { state: summary?.state, reason: summary?.reason };
}

/** What is said of a run whose cancel was taken back. */
export function takenBack(location: string): string {
  return `its cancel was taken back: \`imagemill resume ${location}\` goes on`;
}
