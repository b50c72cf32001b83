import type { Collector } from "./collector.ts";
import type { LaneClient } from "./lane-client.ts";
import type { Settled } from "./settled.ts";
import type { InFlight, Window } from "./window.ts";

/** A job younger than this is not looked for. */
const settleMs = 4_000;

/** What reconciling works on. */
export interface ReconcilerParts {
  lane: LaneClient;
  window: Window;
  settled: Settled;
  collector: Collector;
  send: (prompts: readonly InFlight[]) => Promise<void>;
}

/**
 * Adds again those prompts in flight whose job Redis has lost. The order matters: jobs are looked for **before** the
 * stream is drained, since a job is gone, too, when its result is waiting there. Gives how many were added.
 */
export async function reconcile({
  lane,
  window,
  settled,
  collector,
  send,
}: ReconcilerParts): Promise<number> {
  const before = Date.now() - settleMs;
  const sent = [...window.values()].filter(({ addedAt }) => addedAt > 0 && addedAt < before);
  const gone = await lane.gone(sent);
  if (gone.length === 0) return 0;
  await collector.drain();
  const lost = gone.filter(
    ({ job }) => window.get(job.index) !== undefined && !settled.has(job.index),
  );
  for (const prompt of lost) prompt.job.mayExist = true;
  if (lost.length > 0) await send(lost);
  return lost.length;
}
