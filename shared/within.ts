import { setTimeout as delay } from "node:timers/promises";

/** How long anything may take to close: what asks Redis never ends while Redis is away. */
export const closeLimitMs = 2_000;

/** Whether something ends, well or not, within the time; it is not waited for any longer. A time may be over already. */
export async function endsWithin(ms: number, work: Promise<unknown>): Promise<boolean> {
  const ended = new AbortController();
  const end = work.then(
    () => true,
    () => true,
  );
  const late = delay(Math.max(0, ms), false, { signal: ended.signal }).catch(() => true);
  const hasEnded = await Promise.race([end, late]);
  ended.abort();
  return hasEnded;
}
