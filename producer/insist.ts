import { setTimeout as delay } from "node:timers/promises";
import { asError } from "../shared/caught.ts";

/** Time between two tries. */
const retryMs = 500;

/** How long to insist, and on what. */
export interface InsistOptions {
  /** Ends it: what does not work then is given up. */
  stopping: AbortSignal;
  /** Whether an error may pass by itself; any other is thrown. */
  mayPass: (error: unknown) => boolean;
  /** Told of each failure before the next try. */
  onFailure: (error: Error) => Promise<void> | void;
}

/**
 * Does something until it works (true) or the run stops (false): a queue or a disk that is away burns nothing.
 * @throws the work's error where that cannot pass by itself
 */
export async function insist(work: () => Promise<void>, options: InsistOptions): Promise<boolean> {
  for (;;) {
    try {
      await work();
      return true;
    } catch (error) {
      if (!options.mayPass(error)) throw error;
      await options.onFailure(asError(error));
      if (options.stopping.aborted) return false;
      await delay(retryMs);
    }
  }
}
