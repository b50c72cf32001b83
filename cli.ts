import { Command, CommanderError, type Option } from "commander";
import { Declined } from "./cli/approve.ts";
import { doctorCommand } from "./cli/doctor-command.ts";
import { exportCommand } from "./cli/export-command.ts";
import { failuresCommand } from "./cli/failures-command.ts";
import { exitCodes, type Io } from "./cli/io.ts";
import { modelsCommand } from "./cli/models-command.ts";
import { monitorCommand } from "./cli/monitor-command.ts";
import { resumeCommand, retryCommand } from "./cli/resume-command.ts";
import { enqueueCommand, runCommand } from "./cli/run-command.ts";
import { simulateCommand } from "./cli/simulate-command.ts";
import { statusCommand } from "./cli/status-command.ts";
import { cancelCommand, pauseCommand, unpauseCommand } from "./cli/steer-commands.ts";
import { workCommand } from "./cli/work-command.ts";
import { hasCode, messageOf, stackOf } from "./shared/caught.ts";
import { StorageError } from "./shared/storage.ts";
import { UsageError } from "./shared/usage-error.ts";
import { version } from "./shared/version.ts";

/** Runs the command line and gives its exit code. */
export async function main(argv: readonly string[]): Promise<number> {
  forgiveClosedPipes();
  const io: Io = {
    env: process.env,
    stdout: process.stdout,
    stderr: process.stderr,
    exitCode: exitCodes.done,
  };
  try {
    await program(io).parseAsync(argv, { from: "user" });
    return io.exitCode;
  } catch (error) {
    return report(io, error);
  }
}

/** The command line with all its commands, to parse arguments with. */
export function program(io: Io): Command {
  const commands = [
    runCommand,
    enqueueCommand,
    workCommand,
    resumeCommand,
    statusCommand,
    failuresCommand,
    retryCommand,
    exportCommand,
    pauseCommand,
    unpauseCommand,
    cancelCommand,
    monitorCommand,
    modelsCommand,
    simulateCommand,
    doctorCommand,
  ];
  const root = new Command("imagemill")
    .description(
      "Turn a dataset of prompts into a dataset of images: nothing lost, no image paid for twice.",
    )
    .version(version, "-V, --version")
    .showSuggestionAfterError()
    .showHelpAfterError("(--help shows what can be given)")
    .configureHelp({ optionDescription: describeOption })
    .exitOverride();
  for (const create of commands) root.addCommand(create(io).copyInheritedSettings(root));
  return root;
}

/** Choices and defaults, but not the environment variable of each: the examples say how those are named. */
function describeOption({
  description,
  argChoices,
  defaultValue,
  defaultValueDescription,
}: Option): string {
  const isTold =
    defaultValue !== undefined && !(Array.isArray(defaultValue) && defaultValue.length === 0);
  const told = defaultValueDescription ?? String(defaultValue);
  const extra = [
    ...(argChoices ? [argChoices.join(", ")] : []),
    ...(isTold ? [`default: ${told}`] : []),
  ];
  return extra.length > 0 ? `${description} (${extra.join("; ")})` : description;
}

/** Who reads only the first lines closes the pipe: that is no error of the run. */
function forgiveClosedPipes(): void {
  for (const stream of [process.stdout, process.stderr]) {
    stream.on("error", (error: unknown) => {
      if (hasCode(error, "EPIPE")) return;
      process.exitCode = exitCodes.bug;
      if (stream !== process.stderr)
        process.stderr.write(`imagemill: cannot write the output: ${messageOf(error)}\n`);
    });
  }
}

/** Says what went wrong and gives the exit code for it. */
function report(io: Io, error: unknown): number {
  // Commander has printed its own message, and ends `--help` and `--version` this way, too.
  if (error instanceof CommanderError)
    return error.exitCode === 0 ? exitCodes.done : exitCodes.usage;
  if (error instanceof Declined) {
    io.stderr.write(`${error.message}\n`);
    return exitCodes.cancelled;
  }
  if (error instanceof UsageError) {
    io.stderr.write(`imagemill: ${error.message}\n`);
    return exitCodes.usage;
  }
  if (error instanceof StorageError) {
    io.stderr.write(`imagemill: ${error.message} (mend it, then run the same command again)\n`);
    return exitCodes.stopped;
  }
  const text = stackOf(error);
  io.stderr.write(`imagemill: this should not have happened:\n${text}\n`);
  return exitCodes.bug;
}
