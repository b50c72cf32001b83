import { setTimeout as delay } from "node:timers/promises";
import type { Log } from "../shared/log.ts";
import { StorageError } from "../shared/storage.ts";
import type { Gate } from "./gate.ts";

/** Time between two tries at a storage that refused. */
const retryMs = 1_000;

/** Asks storage until it works; while it is in trouble, the calls of its run wait. */
export class StorageWatch {
  readonly #gate: Gate;
  readonly #log: Log;
  readonly #abandoned: AbortSignal;
  readonly #waiting = new Set<string>();

  /** `abandoned` is aborted when calls in flight, and what they made, are given up. */
  constructor(gate: Gate, log: Log, abandoned: AbortSignal) {
    this.#gate = gate;
    this.#log = log;
    this.#abandoned = abandoned;
  }

  /** Jobs that do nothing but wait for storage. */
  get waitingJobs(): number {
    return this.#waiting.size;
  }

  /**
   * Does something in the storage of a run until it works, for a job that keeps what has been paid for meanwhile.
   * @throws AbortError when the worker gives up; what `work` throws that is no StorageError
   */
  async insist<T>(run: string, job: string, work: () => Promise<T>): Promise<T> {
    try {
      for (;;) {
        try {
          return await work();
        } catch (error) {
          if (!(error instanceof StorageError)) throw error;
          this.#note(run, error.message);
          this.#waiting.add(job);
          await delay(retryMs, undefined, { signal: this.#abandoned });
        }
      }
    } finally {
      const hasWaited = this.#waiting.delete(job);
      // Also where it then failed in another way: nobody else would tell that the run's calls may go on.
      if (hasWaited && !this.#abandoned.aborted) this.#note(run, undefined);
    }
  }

  #note(run: string, trouble: string | undefined): void {
    const isNews = this.#gate.storageTrouble(run, trouble);
    if (!isNews) return;
    if (trouble === undefined) this.#log.info({ run }, "storage works again");
    else this.#log.error({ run }, `storage is in trouble, the run waits here: ${trouble}`);
  }
}
