import type { Heartbeat } from "../shared/heartbeat.ts";
import type { LanePause, LaneState } from "../shared/lane-state.ts";
import { isDiskTrouble, messageOf } from "../shared/caught.ts";
import { isQueueError } from "../shared/queue-error.ts";
import { plural } from "../shared/quantity.ts";
import type { Registration } from "../shared/registration.ts";
import { readSteering, writeSteering, type Steering } from "../shared/steering.ts";
import type { StateAt } from "../shared/state-files.ts";
import { StorageError } from "../shared/storage.ts";
import type { LaneClient } from "./lane-client.ts";
import { Outage } from "./outage.ts";
import { stopOfPause, type StopReason } from "./stop.ts";

/** Longer than the heartbeat of a worker that died counts. */
const refusedMs = 10_000;

function isBlocked({ waiting }: Heartbeat): boolean {
  return waiting?.startsWith("storage:") === true;
}

/** What a run's view of its lane is made of. */
export interface LaneWatchParts {
  /** The id of the run. */
  run: string;
  lane: LaneClient;
  /** The state files of the run. */
  state: StateAt;
  /** How long storage may be away, or Redis refuse to write, before the run stops. */
  giveUpAfterMs: number;
  /** Told again and again of what the run directory could not be told. */
  onError: (error: Error) => void;
}

/** Who writes to the run directory beside others. */
export type DiskWriter = "feeder" | "collector" | "budget";

/** A run's view of its lane: who works there, and since when nothing can go on. */
export class LaneWatch {
  readonly #parts: LaneWatchParts;
  /** Redis answers, but takes no job. */
  readonly queue: Outage;
  /** The run directory cannot be written to, by each who does: another, who has nothing to write, does not know. */
  readonly disk: Record<DiskWriter, Outage>;
  readonly #storage: Outage;
  readonly #keys: Outage;
  #heartbeats: readonly Heartbeat[] = [];
  #runs = 1;
  #pause: LanePause | undefined;
  #mostCalls = 1;
  #nextTryAt: number | undefined;
  #steering: Pick<Steering, "state" | "reason"> | undefined;
  /** The run directory has yet to be told how the run is steered. */
  #isUnwritten = false;

  constructor(parts: LaneWatchParts) {
    this.#parts = parts;
    const { giveUpAfterMs } = parts;
    this.queue = new Outage(
      "queue: Redis has taken nothing",
      "give it memory and disk",
      giveUpAfterMs,
    );
    const disk = () =>
      new Outage("storage: the run directory could not be written to", "mend it", giveUpAfterMs);
    this.disk = { feeder: disk(), collector: disk(), budget: disk() };
    this.#storage = new Outage("no worker could store an image", "mend it", giveUpAfterMs);
    this.#keys = new Outage(
      "auth: the provider has refused all workers",
      "give them another key",
      refusedMs,
    );
  }

  /** Living workers, as last seen. */
  get heartbeats(): readonly Heartbeat[] {
    return this.#heartbeats;
  }

  /** Running runs with a living producer that share the lane, as last seen. */
  get runs(): number {
    return this.#runs;
  }

  /** Calls that a prompt takes, of that running run of the lane whose prompts take the most. */
  get mostCallsPerPrompt(): number {
    return this.#mostCalls;
  }

  /** How somebody steers the run; undefined where it may run. */
  get steering(): Pick<Steering, "state" | "reason"> | undefined {
    return this.#steering;
  }

  /** Why the whole lane is paused, as last seen. */
  get pause(): LanePause | undefined {
    return this.#pause;
  }

  /** When the lane's next job is due, where none is now, as last seen; in milliseconds since 1970. */
  get nextTryAt(): number | undefined {
    return this.#nextTryAt;
  }

  /** Whether somebody paused the run. */
  get isPaused(): boolean {
    return this.#steering?.state === "paused";
  }

  /**
   * Learns how the run was steered while no producer had it open: by its directory or, by who cannot see that, in Redis.
   * True where that was not known.
   */
  async learnSteering(): Promise<boolean> {
    const before = this.#steering?.state;
    const own = (await this.#parts.lane.state()).runs.get(this.#parts.run);
    this.#steering = await readSteering(this.#parts.state);
    if (!this.#steering && own && own.state !== "running") await this.#follow(own);
    return this.#steering?.state !== before;
  }

  /**
   * Keeps what Redis says in the run directory, too, for the time when no producer has the run open. A disk that is full or
   * read-only keeps nobody from being obeyed, and is tried again at the next look.
   */
  async #follow({ state, reason }: Registration): Promise<void> {
    if (state === "stopping" || state === "stopped") return;
    if (state !== (this.#steering?.state ?? "running")) {
      this.#steering = state === "running" ? undefined : { state, ...(reason && { reason }) };
      this.#isUnwritten = true;
    }
    if (!this.#isUnwritten) return;
    try {
      await writeSteering(this.#parts.state, state, reason);
      this.#isUnwritten = false;
    } catch (error) {
      if (!isDiskTrouble(error)) throw error;
      const text = `the run is ${state}, which its next start cannot know before steering.json can be written`;
      this.#parts.onError(new StorageError(`${text}: ${messageOf(error)}`, { cause: error }));
    }
  }

  /** Pauses the run, or lets it go on, from inside its producer: by its directory, so that it outlasts this life. */
  async steer(state: "running" | "paused", reason: string | undefined): Promise<void> {
    await writeSteering(this.#parts.state, state, reason);
    this.#isUnwritten = false;
    this.#steering = state === "running" ? undefined : { state, ...(reason && { reason }) };
  }

  /** Looks at the lane. Gives the reason to stop, where a person has to mend something. */
  async look(): Promise<StopReason | undefined> {
    const state = await this.#parts.lane.state();
    this.#pause = state.pause;
    this.#heartbeats = await this.#parts.lane.heartbeats();
    const isAtWork = this.#heartbeats.some(({ calls }) => calls.length > 0);
    this.#nextTryAt = isAtWork ? undefined : await this.#parts.lane.nextTryAt();
    const running = [...state.runs.values()].filter((run) => run.state === "running");
    this.#mostCalls = Math.max(1, ...running.map((run) => run.callsPerPrompt ?? 1));
    const own = state.runs.get(this.#parts.run);
    if (own) await this.#follow(own);
    if (own?.state === "cancelled") return { state: "cancelled", text: own.reason ?? "cancelled" };
    return stopOfPause(state) ?? this.#blocked() ?? this.#refused() ?? (await this.#beat(state));
  }

  /** A Redis that answers may refuse to write, such as while its disk is full. Gives the reason to stop after too long. */
  async #beat(state: LaneState): Promise<StopReason | undefined> {
    try {
      this.#runs = await this.#parts.lane.beat(state);
      this.queue.worked();
      return undefined;
    } catch (error) {
      const stop = isQueueError(error) ? this.queue.failed(messageOf(error)) : undefined;
      if (stop) return stop;
      throw error;
    }
  }

  /** Whether no worker could store images for too long. */
  #blocked(): StopReason | undefined {
    const fit = this.#heartbeats.filter((beat) => beat.fit);
    if (fit.length > 0 && fit.every(isBlocked)) {
      const stop = this.#storage.failed(fit[0]!.waiting!);
      return stop && { ...stop, isStorageAway: true };
    }
    this.#storage.worked();
    return undefined;
  }

  /** Whether every worker that has a call of the run in hand waits for storage, as last seen. */
  get isHeldByStorage(): boolean {
    const isOurs = (call: string) => call.startsWith(`${this.#parts.run}-`);
    return this.#heartbeats.filter(({ calls }) => calls.some(isOurs)).every(isBlocked);
  }

  /** Whether the provider has refused the keys of all living workers. */
  #refused(): StopReason | undefined {
    const isRefused = this.#heartbeats.length > 0 && this.#heartbeats.every((beat) => !beat.fit);
    if (isRefused) return this.#keys.failed(plural(this.#heartbeats.length, "worker"));
    this.#keys.worked();
    return undefined;
  }
}
