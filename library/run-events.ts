import type { Run as Producer } from "../producer/open-run.ts";
import type { RunProgress } from "../producer/run-life.ts";
import { asError } from "../shared/caught.ts";
import type { LanePause } from "../shared/lane-state.ts";
import type { Log } from "../shared/log.ts";
import type { AttemptRecord } from "../shared/result.ts";
import { resultOf, type PromptResult } from "./prompt-result.ts";

/** How often progress is looked at. */
const lookMs = 500;

/** What a run tells, and with what. */
export interface RunEvents {
  /** A prompt's result is on the disk. */
  settled: [result: PromptResult];
  /** A try at a call, told once its prompt is settled. */
  attempt: [attempt: AttemptRecord, index: number];
  /** At most twice a second, when something has changed, and at the end. */
  progress: [progress: RunProgress];
  /** No call of the provider and model starts until somebody mends it or says so. */
  lanePaused: [pause: LanePause];
  laneUnpaused: [];
}

type Listener<Name extends keyof RunEvents> = (...parts: RunEvents[Name]) => void;
type Listeners = { [Name in keyof RunEvents]: Set<Listener<Name>> };

/** Tells listeners of a run. One that throws is logged, and disturbs nobody. */
export class RunTeller {
  readonly #run: Producer;
  readonly #log: Log;
  readonly #listeners: Listeners = {
    settled: new Set(),
    attempt: new Set(),
    progress: new Set(),
    lanePaused: new Set(),
    laneUnpaused: new Set(),
  };
  #seen = "";
  #pause: LanePause | undefined;
  #timer: NodeJS.Timeout | undefined;
  #isOver = false;

  constructor(run: Producer, log: Log) {
    this.#run = run;
    this.#log = log;
    const stop = run.onSettled((lines) => {
      const { settled, attempt } = this.#listeners;
      if (settled.size + attempt.size === 0) return;
      for (const result of lines.map(resultOf)) {
        for (const record of result.attempts) this.#tell("attempt", record, result.index);
        this.#tell("settled", result);
      }
    });
    const end = () => {
      stop();
      this.#isOver = true;
      this.#look();
      clearInterval(this.#timer);
    };
    run.finished.then(end, end);
  }

  /** Gives a function that ends it. */
  on<Name extends keyof RunEvents>(event: Name, listener: Listener<Name>): () => void {
    // Looked at only for those who want to know; the timer keeps no process.
    if (!this.#isOver) this.#timer ??= setInterval(() => this.#look(), lookMs).unref();
    this.#listeners[event].add(listener);
    return () => void this.#listeners[event].delete(listener);
  }

  #look(): void {
    const progress = this.#run.progress();
    const { lanePause } = progress;
    if (lanePause && this.#pause?.reason !== lanePause.reason) this.#tell("lanePaused", lanePause);
    if (!lanePause && this.#pause) this.#tell("laneUnpaused");
    this.#pause = lanePause;
    const text = JSON.stringify(progress);
    if (text !== this.#seen) this.#tell("progress", progress);
    this.#seen = text;
  }

  #tell<Name extends keyof RunEvents>(event: Name, ...parts: RunEvents[Name]): void {
    for (const listener of this.#listeners[event]) {
      try {
        listener(...parts);
      } catch (error) {
        this.#log.error({ error: asError(error), event }, "a listener of the run has thrown");
      }
    }
  }
}
