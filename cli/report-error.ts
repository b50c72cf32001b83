import { CommanderError } from "commander";
import { firstError, messageOf, stackOf } from "../shared/caught.ts";
import { printable } from "../shared/printable.ts";
import { StorageError } from "../shared/storage.ts";
import { UsageError } from "../shared/usage-error.ts";
import { Declined } from "./declined.ts";
import { exitCodes } from "./io.ts";

/** Says what went wrong and gives the exit code for it; of several errors the first one decides. */
export function reportError(stderr: NodeJS.WritableStream, thrown: unknown): number {
  const error = firstError(thrown);
  // Commander has printed its own message, and ends `--help` and `--version` this way, too.
  if (error instanceof CommanderError)
    return error.exitCode === 0 ? exitCodes.done : exitCodes.usage;
  const message = printable(messageOf(thrown));
  if (error instanceof Declined) {
    stderr.write(`${message}\n`);
    return exitCodes.cancelled;
  }
  if (error instanceof UsageError) {
    stderr.write(`imagemill: ${message}\n`);
    return exitCodes.usage;
  }
  if (error instanceof StorageError) {
    stderr.write(`imagemill: ${message} (mend it, then run the same command again)\n`);
    return exitCodes.stopped;
  }
  stderr.write(`imagemill: this should not have happened:\n${printable(stackOf(thrown))}\n`);
  return exitCodes.bug;
}
