import { Queue } from "bullmq";
import type { LaneKeys } from "./keys.ts";
import type { RedisClient } from "./redis.ts";

/**
 * The BullMQ queue of a lane, for adding and removing jobs. Its events stream is kept short: nobody reads it, and every
 * return value passes through it. The client stays the caller's.
 */
export function openLaneQueue(lane: string, keys: LaneKeys, redis: RedisClient): Queue {
  return new Queue(lane, {
    connection: redis,
    prefix: keys.queuePrefix,
    streams: { events: { maxLen: 100 } },
  });
}
