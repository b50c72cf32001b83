import { Command, type Option } from "commander";
import { boundHeap } from "./cli/bound-heap.ts";
import { exitCodes, type Io } from "./cli/io.ts";
import { reportError } from "./cli/report-error.ts";
import { hasCode, messageOf } from "./shared/caught.ts";
import { version } from "./shared/version.ts";

type MakeCommand = (io: Io) => Command;

/** The commands in the order of `--help`. Only the one that is asked for is loaded: all of them are 50 files more. */
const commands: Record<string, () => Promise<MakeCommand>> = {
  run: async () => (await import("./cli/run-command.ts")).runCommand,
  enqueue: async () => (await import("./cli/run-command.ts")).enqueueCommand,
  work: async () => (await import("./cli/work-command.ts")).workCommand,
  resume: async () => (await import("./cli/resume-command.ts")).resumeCommand,
  status: async () => (await import("./cli/status-command.ts")).statusCommand,
  failures: async () => (await import("./cli/failures-command.ts")).failuresCommand,
  retry: async () => (await import("./cli/resume-command.ts")).retryCommand,
  export: async () => (await import("./cli/export-command.ts")).exportCommand,
  pause: async () => (await import("./cli/steer-commands.ts")).pauseCommand,
  unpause: async () => (await import("./cli/steer-commands.ts")).unpauseCommand,
  cancel: async () => (await import("./cli/steer-commands.ts")).cancelCommand,
  monitor: async () => (await import("./cli/monitor-command.ts")).monitorCommand,
  models: async () => (await import("./cli/models-command.ts")).modelsCommand,
  simulate: async () => (await import("./cli/simulate-command.ts")).simulateCommand,
  doctor: async () => (await import("./cli/doctor-command.ts")).doctorCommand,
};

/** Runs the command line and gives its exit code. */
export async function main(argv: readonly string[]): Promise<number> {
  forgiveClosedPipes();
  boundHeap();
  const io: Io = {
    env: process.env,
    stdout: process.stdout,
    stderr: process.stderr,
    exitCode: exitCodes.done,
  };
  try {
    const root = await program(io, argv[0]);
    await root.parseAsync(argv, { from: "user" });
    return io.exitCode;
  } catch (error) {
    return reportError(io.stderr, error);
  }
}

/** The command line, to parse arguments with: with the command of this name alone, or with all where there is none. */
export async function program(io: Io, name?: string): Promise<Command> {
  const names =
    name !== undefined && Object.hasOwn(commands, name) ? [name] : Object.keys(commands);
  const makers = await Promise.all(names.map((known) => commands[known]!()));
  const root = new Command("imagemill")
    .description(
      "Turn a dataset of prompts into a dataset of images: nothing lost, no image paid for twice.",
    )
    .version(version, "-V, --version")
    .showSuggestionAfterError()
    .showHelpAfterError("(--help shows what can be given)")
    .configureHelp({ optionDescription: describeOption })
    .exitOverride();
  for (const make of makers) root.addCommand(make(io).copyInheritedSettings(root));
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
