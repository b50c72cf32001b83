import { onAbort } from "./on-abort.ts";

/** What the promise comes to, unless the signal is aborted first; the promise itself goes on for others. */
export async function orAborted<T>(
  promise: Promise<T>,
  signal: AbortSignal | undefined,
): Promise<T> {
  if (!signal) return await promise;
  const aborted = Promise.withResolvers<never>();
  const abort = () => aborted.reject(signal.reason);
  if (signal.aborted) abort();
  const leaveSignal = onAbort(signal, abort);
  try {
    return await Promise.race([aborted.promise, promise]);
  } finally {
    leaveSignal();
  }
}
