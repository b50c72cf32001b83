import { setTimeout as delay } from "node:timers/promises";
import { asError, isDiskTrouble } from "../shared/caught.ts";
import { giveRoom } from "./give-room.ts";
import type { LaneClient } from "./lane-client.ts";
import type { DiskWriter, LaneWatch } from "./lane-watch.ts";
import { NewerVersionError } from "../shared/newer-version.ts";
import { UsageError } from "../shared/usage-error.ts";
import type { StopReason } from "./stop.ts";
import type { Window } from "./window.ts";

/** Time between two tries. */
const retryMs = 500;

/** How long to insist, and on what. */
interface InsistOptions {
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
async function insist(work: () => Promise<void>, options: InsistOptions): Promise<boolean> {
  for (;;) {
    try {
      await work();
      return true;
    } catch (error) {
      if (!options.mayPass(error)) throw error;
      await options.onFailure(asError(error));
      if (options.stopping.aborted) return false;
      await delay(retryMs, undefined, { signal: options.stopping }).catch(() => undefined);
    }
  }
}

/** What insistence works on. */
export interface InsistenceParts {
  lane: LaneClient;
  window: Window;
  watch: LaneWatch;
  stopping: AbortSignal;
  /** Told of each failure. */
  onError: (error: Error) => void;
  /** Told once Redis or the disk have been away for too long. */
  onGivenUp: (reason: StopReason) => void;
}

/** How a run insists on its queue and its disk: until they work, or have been away for longer than it waits. */
export class Insistence {
  readonly #parts: InsistenceParts;

  constructor(parts: InsistenceParts) {
    this.#parts = parts;
  }

  /** Does something in Redis until it works (true) or the run stops. */
  async onQueue(work: () => Promise<void>): Promise<boolean> {
    const { watch, stopping } = this.#parts;
    const isDone = await insist(work, {
      stopping,
      // What a newer version wrote stops the run, by `onError`; other mistakes of usage cannot pass.
      mayPass: (error) =>
        error instanceof NewerVersionError ||
        !(error instanceof UsageError || isDiskTrouble(error)),
      onFailure: async (error) => {
        this.#failed(error, watch.queue.failed(error.message));
        if (error.message.startsWith("OOM ")) await this.#makeRoom();
      },
    });
    if (isDone) watch.queue.worked();
    return isDone;
  }

  /** Writes to the run directory until it works; rejects when the run stops. */
  async onDisk(writer: DiskWriter, write: () => Promise<void>): Promise<void> {
    const { watch, stopping } = this.#parts;
    const isDone = await insist(write, {
      stopping,
      mayPass: isDiskTrouble,
      onFailure: (error) => this.#failed(error, watch.disk[writer].failed(error.message)),
    });
    if (!isDone) stopping.throwIfAborted();
    watch.disk[writer].worked();
  }

  #failed(error: Error, reason: StopReason | undefined): void {
    this.#parts.onError(error);
    if (reason) this.#parts.onGivenUp(reason);
  }

  async #makeRoom(): Promise<void> {
    try {
      await giveRoom(this.#parts.lane, this.#parts.window);
    } catch (error) {
      this.#parts.onError(asError(error));
    }
  }
}
