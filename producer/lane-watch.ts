import type { Heartbeat } from "../shared/heartbeat.ts";
import type { LaneClient } from "./lane-client.ts";
import { stopOfPause, type StopReason } from "./stop.ts";

/** A run's view of its lane: who works there, and since when nothing can go on. */
export class LaneWatch {
  readonly #run: string;
  readonly #lane: LaneClient;
  readonly #giveUpAfterMs: number;
  #heartbeats: readonly Heartbeat[] = [];
  #runs = 1;
  #isPaused = false;
  #answeredAt = Date.now();
  #blockedSince: number | undefined;
  #uncollectedSince: number | undefined;

  /** `giveUpAfterMs`: how long Redis or storage may be away before the run stops. */
  constructor(run: string, lane: LaneClient, giveUpAfterMs: number) {
    this.#run = run;
    this.#lane = lane;
    this.#giveUpAfterMs = giveUpAfterMs;
  }

  /** Living workers, as last seen. */
  get heartbeats(): readonly Heartbeat[] {
    return this.#heartbeats;
  }

  /** Whether somebody paused the run. */
  get isPaused(): boolean {
    return this.#isPaused;
  }

  /** Running runs that share the lane, as last seen. */
  get runs(): number {
    return this.#runs;
  }

  /** Looks at the lane. Gives the reason to stop, where a person has to mend something. */
  async look(): Promise<StopReason | undefined> {
    const state = await this.#lane.state();
    this.#heartbeats = await this.#lane.heartbeats();
    this.#runs = [...state.runs.values()].filter((run) => run.state === "running").length;
    const own = state.runs.get(this.#run);
    this.#isPaused = own?.state === "paused";
    this.answered();
    if (own?.state === "cancelled") return { state: "cancelled", text: own.reason ?? "cancelled" };
    return stopOfPause(state) ?? this.#blocked();
  }

  /** Redis did what it was asked for. */
  answered(): void {
    this.#answeredAt = Date.now();
  }

  /** Redis did not. Gives the reason to stop once that has lasted too long. */
  missed(error: Error): StopReason | undefined {
    if (Date.now() - this.#answeredAt < this.#giveUpAfterMs) return undefined;
    return {
      state: "stopped",
      text: `queue: ${error.message} (bring Redis back, then run the same command again)`,
    };
  }

  /** Results were collected, or there were none. */
  collected(): void {
    this.#uncollectedSince = undefined;
  }

  /** They could not be: Redis is away, or the journal's disk is full. Gives the reason to stop after too long. */
  notCollected(error: Error): StopReason | undefined {
    this.#uncollectedSince ??= Date.now();
    if (Date.now() - this.#uncollectedSince < this.#giveUpAfterMs) return undefined;
    const text = `results cannot be written down: ${error.message} (mend it, then run the same command again)`;
    return { state: "stopped", text };
  }

  /** Whether no worker could store images for too long. */
  #blocked(): StopReason | undefined {
    const fit = this.#heartbeats.filter((beat) => beat.fit);
    const waiting = fit.find((beat) => beat.waiting?.startsWith("storage:"))?.waiting;
    const isBlocked =
      waiting !== undefined && fit.every((beat) => beat.waiting?.startsWith("storage:"));
    if (!isBlocked) this.#blockedSince = undefined;
    else this.#blockedSince ??= Date.now();
    if (this.#blockedSince === undefined || Date.now() - this.#blockedSince < this.#giveUpAfterMs)
      return undefined;
    return { state: "stopped", text: `${waiting} (mend it, then run the same command again)` };
  }
}
