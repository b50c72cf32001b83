import type { EventEmitter } from "node:events";
import { redisMessage } from "./redis-message.ts";
import { SparseTelling } from "./sparse-telling.ts";

/**
 * Listens to `error` events, which come by the thousand while Redis is away or full: the first of a burst is reported
 * at once, the rest as one count at most every 10 s. Returns a function that stops listening.
 */
export function limitErrors(
  emitter: EventEmitter,
  log: (message: string, count: number) => void,
): () => void {
  const telling = new SparseTelling();
  const listener = (error: unknown) => {
    const message = redisMessage(error);
    telling.tell("", { full: () => log(message, 1), count: (times) => log(message, times) });
  };
  emitter.on("error", listener);
  return () => {
    emitter.off("error", listener);
    telling.close();
  };
}
