import type { LaneClient } from "./lane-client.ts";
import type { Window } from "./window.ts";

/**
 * Takes half of a run's waiting jobs out of a Redis that is full: removing works even then, and nothing is lost, since the
 * reconciler adds them again once there is room.
 */
export async function giveRoom(lane: LaneClient, window: Window): Promise<void> {
  const sent = [...window.values()].filter(({ addedAt }) => addedAt > 0);
  for (const prompt of sent.slice(Math.ceil(sent.length / 2))) await lane.remove(prompt);
}
