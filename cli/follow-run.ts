import type { Run } from "../library/run.ts";
import { messageOf } from "../shared/caught.ts";
import { plural } from "../shared/quantity.ts";
import { exitCodeOf } from "./exit-code.ts";
import type { Io } from "./io.ts";
import type { OwnWorker } from "./own-worker.ts";
import { showProgress } from "./progress-view.ts";
import type { DriveOptions } from "./run-options.ts";
import { listenToSignals } from "./signals.ts";
import { printSummary } from "./summary-view.ts";
import type { Terminal } from "./terminal.ts";

/** What is shown of a run, and what ends with it. */
export interface Followed {
  terminal: Terminal;
  /** The model and its provider, for people. */
  maker: string;
  isSimulated: boolean;
  /** The images are made in this process. */
  workHere: boolean;
  options: DriveOptions;
  /** Of this process. */
  own: OwnWorker;
}

/** Shows a run until it ends, ends it early at a signal, prints what it came to and sets the exit code. */
export async function followRun(
  io: Io,
  run: Run,
  { terminal, maker, isSimulated, workHere, options, own }: Followed,
): Promise<void> {
  tellOpening(run, maker, terminal);
  const callsInFlight = () => own.worker?.callsInFlight() ?? 0;
  using signals = listenToSignals(terminal, callsInFlight, (signal) => {
    terminal.write(
      `${signal}: finishing ${plural(callsInFlight(), "call")} in flight (again to stop at once); the same command resumes`,
    );
    void run.stop(`interrupted by ${signal}: the same command resumes`);
    own.worker
      ?.close()
      .catch((error: unknown) => terminal.write(`closing the worker failed: ${messageOf(error)}`));
  });
  const hide = showProgress(run, terminal, workHere);
  try {
    const summary = await run.finished;
    hide();
    printSummary(io, summary, { json: options.json === true, isSimulated });
    io.exitCode =
      signals.code ?? exitCodeOf(summary, run.progress().totals.failures, options.allowFailures);
  } finally {
    hide();
  }
}

function tellOpening(run: Run, maker: string, terminal: Terminal): void {
  for (const line of run.repaired) terminal.write(`repaired: ${line}`);
  if (run.steering?.state === "paused" && !run.isComplete) {
    const why = run.steering.reason === undefined ? "" : ` (${run.steering.reason})`;
    terminal.write(
      `the run was paused at ${run.steering.at}${why} and waits: \`imagemill unpause ${run.out}\` lets it go on`,
    );
  }
  if (run.retried === 0)
    terminal.write("nothing that failed so is to be done again: no new round is begun");
  const how = run.isComplete ? "is complete, no call is made" : run.resumed ? "goes on" : "starts";
  terminal.write(`run ${run.id} ${how}: ${maker}, ${run.out}`);
}
