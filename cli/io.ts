import { type Argument, Command, InvalidArgumentError, type Option } from "commander";
import { UsageError } from "../shared/usage-error.ts";

/** What a command sees of the world. */
export interface Io {
  env: NodeJS.ProcessEnv;
  stdout: NodeJS.WriteStream;
  stderr: NodeJS.WriteStream;
  /** Set by a command that ends with another code than 0. */
  exitCode: number;
}

/** How commands end; a signal has codes of its own. The README has them for people. */
export const exitCodes = {
  done: 0,
  bug: 1,
  usage: 2,
  someFailed: 3,
  stopped: 4,
  cancelled: 5,
} as const;

/**
 * A command whose every option can be given as `IMAGEMILL_<NAME>`, too: one that is empty counts as not set, and so does a
 * switch's that says no. An empty value of an option or argument is refused, and a variable of a switch that says neither.
 */
export class EnvironmentCommand extends Command {
  override addOption(option: Option): this {
    const takesValue = option.required || option.optional;
    if (takesValue) refuseNothing(option);
    const name = option.long?.replace(/^--(no-)?/, "");
    const variable = `IMAGEMILL_${name?.replaceAll("-", "_").toUpperCase()}`;
    // Commander looks for the variable's name only while it adds the option, and reads it from the process itself.
    if (name && isSet(variable, takesValue)) option.env(variable);
    return super.addOption(option);
  }

  override addArgument(argument: Argument): this {
    // Of several Commander makes a list only while they have no parser.
    if (!argument.variadic && !argument.parseArg) argument.argParser(textOf);
    return super.addArgument(argument);
  }
}

const on = ["1", "true", "yes", "on"];
const off = ["0", "false", "no", "off"];

/** @throws UsageError where a switch's variable says neither yes nor no */
function isSet(variable: string, takesValue: boolean): boolean {
  const text = process.env[variable] ?? "";
  const value = text.trim().toLowerCase();
  if (value === "" || takesValue) return value !== "";
  if (on.includes(value)) return true;
  if (off.includes(value)) return false;
  throw new UsageError(
    `expected ${variable} to be one of ${[...on, ...off].join(", ")}, got \`${text}\``,
  );
}

/** What a shell makes of a variable that is not set must not become the working directory or a provider's own host. */
function refuseNothing(option: Option): void {
  const parse = option.parseArg;
  option.argParser((text: string, previous: unknown) => {
    const value = textOf(text);
    return parse ? parse(value, previous) : value;
  });
}

function textOf(text: string): string {
  if (text.trim() === "") throw new InvalidArgumentError("Expected a value, got nothing.");
  return text;
}
