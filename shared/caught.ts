import { StorageError } from "./storage.ts";

/** What was thrown, as an Error: JavaScript lets anything be thrown. */
export function asError(thrown: unknown): Error {
  return thrown instanceof Error ? thrown : new Error(String(thrown));
}

/**
 * The error that came first: where ending what was used fails after the work has, `using` throws both as one that says
 * nothing.
 */
export function firstError(thrown: unknown): Error {
  if (isSuppressed(thrown)) return firstError(thrown.suppressed);
  const error = asError(thrown);
  return isSeveral(error) ? firstError(error.errors[0]) : error;
}

/** The message of what was thrown; of errors while ending, too. */
export function messageOf(thrown: unknown): string {
  if (isSuppressed(thrown))
    return `${messageOf(thrown.suppressed)}; then, while ending: ${messageOf(thrown.error)}`;
  const error = asError(thrown);
  return isSeveral(error) ? error.errors.map(messageOf).join("; ") : error.message;
}

/** The stack of what was thrown, which begins with its message: for what is a bug. Of errors while ending, too. */
export function stackOf(thrown: unknown): string {
  if (isSuppressed(thrown)) return `${stackOf(thrown.suppressed)}\n${stackOf(thrown.error)}`;
  const error = asError(thrown);
  if (isSeveral(error)) return error.errors.map(stackOf).join("\n");
  return error.stack ?? error.message;
}

/** Not by `instanceof`: Node has the class only since version 24, before that it is made by the compiler's own code. */
function isSuppressed(thrown: unknown): thrown is Error & { error: unknown; suppressed: unknown } {
  return (
    thrown instanceof Error &&
    thrown.name === "SuppressedError" &&
    "error" in thrown &&
    "suppressed" in thrown
  );
}

/** No more than its parts, as Node's error of a name with several addresses. */
function isSeveral(error: Error): error is AggregateError {
  return error.constructor === AggregateError && (error as AggregateError).errors.length > 0;
}

/** Whether the system's error has this code, such as `ENOENT`. */
export function hasCode(thrown: unknown, code: string): boolean {
  return thrown instanceof Error && "code" in thrown && thrown.code === code;
}

const diskCodes = ["ENOSPC", "EDQUOT", "EFBIG", "EROFS", "EACCES", "EPERM", "EIO", "ENOTDIR"];

/** Whether an error says that a disk, or another storage, is full, broken, away or not to be written to. */
export function isDiskTrouble(thrown: unknown): boolean {
  const error = firstError(thrown);
  return error instanceof StorageError || diskCodes.some((code) => hasCode(error, code));
}
