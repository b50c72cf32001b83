import type { Collector } from "./collector.ts";
import type { LaneClient } from "./lane-client.ts";
import type { Window } from "./window.ts";

/** How long one wait for the results of calls in flight lasts. */
const blockMs = 250;

/** What withdrawing works on. */
export interface WithdrawParts {
  lane: LaneClient;
  window: Window;
  collector: Collector;
  /** How long calls in flight may go on. */
  graceMs: number;
}

/**
 * Takes a run's prompts out of the queue: unsent ones at once; for those in work it waits, and settles what they come to.
 * What is still in the window afterwards stays in Redis for the run's next life.
 */
export async function withdraw({ lane, window, collector, graceMs }: WithdrawParts): Promise<void> {
  const end = Date.now() + graceMs;
  while (window.size > 0 && Date.now() < end) {
    const removed: number[] = [];
    for (const prompt of window.values()) {
      if (await lane.remove(prompt)) removed.push(prompt.job.index);
    }
    // One that was gone already may have left its result.
    await collector.drain();
    for (const index of removed) window.delete(index);
    if (window.size > 0) await collector.collect(blockMs);
  }
}
