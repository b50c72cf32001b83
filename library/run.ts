import type { Run as Producer } from "../producer/open-run.ts";
import type { RunProgress } from "../producer/run-life.ts";
import type { Log } from "../shared/log.ts";
import type { RunSummary } from "../shared/run-file.ts";
import type { Steering } from "../shared/steering.ts";
import { resultOf, type PromptResult } from "./prompt-result.ts";
import { RunTeller, type RunEvents } from "./run-events.ts";

/** A run that is under way. Disposing of it stops it, if it has not ended, and waits for its end. */
export interface Run extends AsyncDisposable {
  readonly id: string;
  /** The run directory, an absolute path. */
  readonly out: string;
  /** Whether the directory held it already. */
  readonly resumed: boolean;
  /** Nothing was left to be done when it was opened: no Redis is asked for, no call made. */
  readonly isComplete: boolean;
  /** How it was steered while nobody had it open; undefined where it may go on. */
  readonly steering: Steering | undefined;
  /** How many prompts are done again by the round that `retry` asked for: 0 where none had failed so; else undefined. */
  readonly retried: number | undefined;
  /** For people: what was repaired in the directory when it was opened. */
  readonly repaired: readonly string[];
  /** For people: parameters that are sent though the model is not known to take them. */
  readonly warnings: readonly string[];
  /** Resolves when all output files are written; rejects only on a bug or where the directory fails. */
  readonly finished: Promise<RunSummary>;
  /**
   * Every prompt that is settled, in the order of settling, then those that get settled, each once; ends with the run. Reads
   * at its reader's pace from the journal, so nothing piles up in memory, and may be left early or asked for again.
   * @throws what `finished` rejects with
   */
  results(): AsyncGenerator<PromptResult, void>;
  progress(): RunProgress;
  /**
   * No call starts until it is unpaused, also after this process has ended. Calls in flight go on.
   * @throws where Redis is away
   */
  pause(reason?: string): Promise<void>;
  unpause(): Promise<void>;
  /**
   * Ends it for good: `finished` resolves with state `cancelled`. Only `unpause` of the command line and `steerRun` take it
   * back.
   */
  cancel(reason?: string): Promise<void>;
  /** Ends it early: nothing more is sent, what is in flight is settled; opening it again goes on. Gives its summary. */
  stop(reason?: string): Promise<RunSummary>;
  /** Calls a listener at an event. Gives a function that ends it. */
  on<Name extends keyof RunEvents>(
    event: Name,
    listener: (...parts: RunEvents[Name]) => void,
  ): () => void;
}

/** A producer's run as the library's users have it. */
export function runOf(
  producer: Producer,
  { out, warnings }: Pick<Run, "out" | "warnings">,
  log: Log,
): Run {
  const teller = new RunTeller(producer, log);
  const stop = (reason = "stopped by its program: opening it again goes on") => {
    producer.stop({ state: "stopped", text: reason });
    return producer.finished;
  };
  return {
    id: producer.id,
    out,
    resumed: producer.resumed,
    isComplete: producer.isComplete,
    steering: producer.steering,
    retried: producer.retried,
    repaired: producer.repaired,
    warnings,
    finished: producer.finished,
    results: () => results(producer),
    progress: () => producer.progress(),
    pause: (reason) => producer.steer("paused", reason),
    unpause: () => producer.steer("running"),
    cancel: (reason) => producer.steer("cancelled", reason),
    stop,
    on: (event, listener) => teller.on(event, listener),
    [Symbol.asyncDispose]: async () => void (await stop()),
  };
}

async function* results(producer: Producer): AsyncGenerator<PromptResult, void> {
  for await (const line of producer.lines()) yield resultOf(line);
  await producer.finished;
}
