import { setTimeout as delay } from "node:timers/promises";
import { asError } from "./caught.ts";

const afterErrorMs = 500;

/**
 * Does something over and over, `ms` after it last ended, never twice at once, until the signal. An error does not end
 * it: `onError` is told, and the next time comes after half a second at least. Resolves once it has stopped.
 */
export async function repeat(
  ms: number,
  stopped: AbortSignal,
  work: () => Promise<void>,
  onError: (error: Error) => void,
): Promise<void> {
  for (let waitMs = ms; !stopped.aborted;) {
    try {
      await delay(waitMs, undefined, { signal: stopped });
      waitMs = ms;
      await work();
    } catch (error) {
      waitMs = Math.max(ms, afterErrorMs);
      if (!stopped.aborted) onError(asError(error));
    }
  }
}
