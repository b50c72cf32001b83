import { pino } from "pino";
import pretty from "pino-pretty";
import type { Log } from "../shared/log.ts";
import type { Terminal } from "./terminal.ts";

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
  return pino({ level, base: null, serializers: { error: pino.stdSerializers.err } }, destination);
}
