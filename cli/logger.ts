import { pino } from "pino";
import pretty from "pino-pretty";
import { asError } from "../shared/caught.ts";
import type { Log } from "../shared/log.ts";
import type { Terminal } from "./terminal.ts";

/** What is told of an error: no fields beside these, since those of ioredis hold whole commands with their prompts. */
function describe(thrown: unknown): object {
  const { name, message, stack, cause } = asError(thrown);
  return { type: name, message, stack, ...(cause !== undefined && { cause: describe(cause) }) };
}

/** A log on stderr: one JSON object a line, or lines for people on a terminal. */
export function createLog(terminal: Terminal, level: string): Log {
  const format = terminal.isInteractive
    ? pretty.prettyFactory({
        colorize: true,
        translateTime: "SYS:HH:MM:ss",
        ignore: "pid,hostname",
      })
    : undefined;
  const destination = { write: (line: string) => terminal.write(format ? format(line) : line) };
  return pino({ level, base: null, serializers: { error: describe } }, destination);
}
