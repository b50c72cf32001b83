import type { StopReason } from "./stop.ts";

/** Something that a run cannot do without, and since when it has not worked. */
export class Outage {
  readonly #what: string;
  readonly #mend: string;
  readonly #limitMs: number;
  #since: number | undefined;

  /** `what` and `mend` are for the person who reads why the run stopped. */
  constructor(what: string, mend: string, limitMs: number) {
    this.#what = what;
    this.#mend = mend;
    this.#limitMs = limitMs;
  }

  worked(): void {
    this.#since = undefined;
  }

  /** Gives the reason to stop once it has not worked for too long. */
  failed(detail: string): StopReason | undefined {
    this.#since ??= Date.now();
    const ms = Date.now() - this.#since;
    if (ms < this.#limitMs) return undefined;
    const seconds = Math.round(ms / 1000);
    return {
      state: "stopped",
      text: `${this.#what} for ${seconds} s: ${detail} (${this.#mend}, then run the same command again)`,
    };
  }
}
