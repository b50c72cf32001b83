import { setTimeout as delay } from "node:timers/promises";

/**
 * Does something over and over, `ms` after it last ended, never twice at once, until the signal. An error does not end
 * it: `onError` is told. Resolves once it has stopped.
 */
export async function repeat(
  ms: number,
  stopped: AbortSignal,
  work: () => Promise<void>,
  onError: (error: Error) => void,
): Promise<void> {
  while (!stopped.aborted) {
    try {
      await delay(ms, undefined, { signal: stopped });
      await work();
    } catch (error) {
      if (!stopped.aborted) onError(error as Error);
    }
  }
}
