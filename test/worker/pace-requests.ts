import { laneKeys, type LaneKeys } from "../../shared/keys.ts";
import { uniquePrefix } from "../helpers/redis.ts";

/** The keys of a lane that nothing is known of. */
export function newLane(): LaneKeys {
  return laneKeys(uniquePrefix(), "{lane}");
}

/** A request of a worker that has nothing in flight and knows no limit, but for its images. */
export const nothing = { calls: 0, answered: 0, latencyMs: 0, limits: {} };

/** A refusal that asks for a second. */
export const refusal = {
  ageMs: 5,
  images: 1,
  kind: "rate",
  retryAfterMs: 1_000,
  message: "429",
  calls: 0,
} as const;
