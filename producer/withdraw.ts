import { indexOfJob } from "../shared/job.ts";
import type { Collector } from "./collector.ts";
import type { LaneClient } from "./lane-client.ts";
import type { Settled } from "./settled.ts";
import type { Window } from "./window.ts";

/** How long one wait for the results of calls in flight lasts. */
const blockMs = 250;

/** What withdrawing works on. */
export interface WithdrawParts {
  run: string;
  lane: LaneClient;
  window: Window;
  settled: Settled;
  collector: Collector;
  /** Settles everything that is in the stream, results of an earlier life included. */
  settle: () => Promise<void>;
  /** How long calls in flight may go on. */
  graceMs: number;
  /** Whether nothing can come of those any more. */
  isVain: () => boolean;
}

/** What a withdrawal came to. */
export interface Withdrawn {
  /** Requests that had been sent for the prompts taken out. */
  calls: number;
  /** Prompts that workers still hold. */
  held: number;
}

/**
 * Takes all jobs of a run out of the queue, those that an earlier life of its producer left included: unsent ones at
 * once; for those in work it waits, and settles what they come to.
 */
export async function withdraw(parts: WithdrawParts): Promise<Withdrawn> {
  const { run, lane, window, settled, collector, settle, graceMs, isVain } = parts;
  const end = Date.now() + graceMs;
  let calls = 0;
  for (;;) {
    const held = new Set<string>();
    const removed = new Map<string, number>();
    for (const [prompt, ids] of await lane.runJobs(run)) {
      const sent = await lane.removeUnsettled(prompt, ids);
      if (sent === undefined) held.add(prompt);
      else removed.set(prompt, sent);
    }
    // One that was gone already, or whose jobs were left behind, may have left its result: that tells of its calls.
    await settle();
    for (const [prompt, sent] of removed) if (!settled.has(indexOfJob(prompt))) calls += sent;
    for (const { id, job } of Array.from(window.values())) {
      if (!held.has(id)) window.delete(job.index);
    }
    if (held.size === 0 || Date.now() >= end || isVain()) return { calls, held: held.size };
    await collector.collect(blockMs);
  }
}

/** Ends a run's registration, and drops jobs that were added again at the last moment: nobody waits for them. */
export async function leaveQueue(lane: LaneClient, run: string): Promise<void> {
  for (const [prompt, ids] of await lane.runJobs(run)) await lane.removeUnsettled(prompt, ids);
  await lane.unregister(run);
}
