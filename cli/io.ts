import { Command, type Option } from "commander";

/** What a command sees of the world. */
export interface Io {
  env: NodeJS.ProcessEnv;
  stdout: NodeJS.WriteStream;
  stderr: NodeJS.WriteStream;
  /** Set by a command that ends with another code than 0. */
  exitCode: number;
}

/** Exit codes of DESIGN.md's command line. */
export const exitCodes = {
  done: 0,
  bug: 1,
  usage: 2,
  someFailed: 3,
  stopped: 4,
  cancelled: 5,
} as const;

/** A command whose every option can be given as `IMAGEMILL_<NAME>`, too. */
export class EnvironmentCommand extends Command {
  override addOption(option: Option): this {
    const name = option.long?.replace(/^--(no-)?/, "");
    // Commander looks for the variable's name only while it adds the option.
    if (name) option.env(`IMAGEMILL_${name.replaceAll("-", "_").toUpperCase()}`);
    return super.addOption(option);
  }
}
