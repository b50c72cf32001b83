/** BullMQ keeps when a delayed job is due as milliseconds times this, plus a counter. */
const dueFactor = 4096;

/** When a delayed job is due, by its score in BullMQ's sorted set: milliseconds since 1970. */
export function dueTime(score: string): number {
  return Math.floor(Number(score) / dueFactor);
}
