/**
 * Calls `aborted` when the signal is aborted, unless the function that it gives was called before: from then on nothing of the
 * caller's is held.
 *
 * Node keeps a signal's listeners in a list, and one that was removed still points to those that came after it. On a signal
 * that outlives its calls, a removed listener that has grown old for the collector keeps all later ones in memory until the
 * next full collection. They must not keep whole calls.
 */
export function onAbort(signal: AbortSignal | undefined, aborted: () => void): () => void {
  let call: (() => void) | undefined = aborted;
  const listener = () => call?.();
  signal?.addEventListener("abort", listener, { once: true });
  return () => {
    call = undefined;
    signal?.removeEventListener("abort", listener);
  };
}
