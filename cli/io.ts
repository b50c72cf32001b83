import type { Command } from "commander";

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

/** Lets every option be given as `IMAGEMILL_<NAME>` as well. */
export function withEnvironment(command: Command): Command {
  for (const option of command.options) {
    const name = option.long?.replace(/^--(no-)?/, "");
    if (name) option.env(`IMAGEMILL_${name.replaceAll("-", "_").toUpperCase()}`);
  }
  return command;
}
