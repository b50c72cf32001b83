import { pino } from "pino";
import { firstError, messageOf, stackOf } from "../shared/caught.ts";
import type { Environment } from "../shared/find-key.ts";
import type { Log } from "../shared/log.ts";
import { unknownName } from "../shared/near-match.ts";
import { printable } from "../shared/printable.ts";
import { UsageError } from "../shared/usage-error.ts";
import type { Terminal } from "./terminal.ts";

/** What is told of an error: no fields beside these, since those of ioredis hold whole commands with their prompts. */
function describe(thrown: unknown): object {
  const { name, cause } = firstError(thrown);
  return {
    type: name,
    message: messageOf(thrown),
    stack: stackOf(thrown),
    ...(cause !== undefined && { cause: describe(cause) }),
  };
}

/** A line of the log whose texts can be shown: what formats it takes their escapes away and adds colours. */
function printableFields(line: string): unknown {
  return JSON.parse(line, (_key, value: unknown) =>
    typeof value === "string" ? printable(value) : value,
  );
}

/** From all to nothing. */
const levels = ["trace", "debug", "info", "warn", "error", "fatal", "silent"] as const;
type Level = (typeof levels)[number];

/**
 * A log on stderr: one JSON object a line, or lines for people on a terminal. What is less grave than
 * `IMAGEMILL_LOG_LEVEL`, where that is not set than `usual`, is left out.
 * @throws UsageError where it is set to something else
 */
export async function createLog(terminal: Terminal, env: Environment, usual: Level): Promise<Log> {
  const level = env["IMAGEMILL_LOG_LEVEL"] || usual;
  if (!levels.some((known) => known === level))
    throw new UsageError(`IMAGEMILL_LOG_LEVEL: ${unknownName("level", level, levels)}`);
  const pretty = terminal.isInteractive ? await import("pino-pretty") : undefined;
  const format = pretty?.prettyFactory({
    colorize: true,
    translateTime: "SYS:HH:MM:ss",
    ignore: "pid,hostname",
  });
  const destination = {
    write: (line: string) => terminal.writeStyled(format ? format(printableFields(line)) : line),
  };
  const log: Log = pino({ level, base: null, serializers: { error: describe } }, destination);
  return log;
}
