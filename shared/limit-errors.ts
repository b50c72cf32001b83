import type { EventEmitter } from "node:events";
import { redisMessage } from "./redis-message.ts";

/**
 * Listens to `error` events, which come by the thousand while Redis is away or full: the first of a burst is reported
 * at once, the rest as one count at most every `intervalMs` (default 10 s). Returns a function that stops listening.
 */
export function limitErrors(
  emitter: EventEmitter,
  log: (message: string, count: number) => void,
  intervalMs = 10_000,
): () => void {
  let unreported = 0;
  let last = "";
  let timer: NodeJS.Timeout | undefined;
  const reportRest = () => {
    if (unreported > 0) log(last, unreported);
    // An interval without errors ends the burst.
    timer = unreported > 0 ? setTimeout(reportRest, intervalMs).unref() : undefined;
    unreported = 0;
  };
  const listener = (error: unknown) => {
    last = redisMessage(error);
    if (timer) {
      unreported += 1;
      return;
    }
    log(last, 1);
    timer = setTimeout(reportRest, intervalMs).unref();
  };
  emitter.on("error", listener);
  return () => {
    emitter.off("error", listener);
    clearTimeout(timer);
    if (unreported > 0) log(last, unreported);
    unreported = 0;
  };
}
