import { StorageError } from "./storage.ts";

/** What was thrown, as an Error: JavaScript lets anything be thrown. */
export function asError(thrown: unknown): Error {
  return thrown instanceof Error ? thrown : new Error(String(thrown));
}

/** The message of what was thrown. */
export function messageOf(thrown: unknown): string {
  return asError(thrown).message;
}

/** The stack of what was thrown, which begins with its message: for what is a bug. */
export function stackOf(thrown: unknown): string {
  const { stack, message } = asError(thrown);
  return stack ?? message;
}

/** Whether the system's error has this code, such as `ENOENT`. */
export function hasCode(thrown: unknown, code: string): boolean {
  return thrown instanceof Error && "code" in thrown && thrown.code === code;
}

const diskCodes = ["ENOSPC", "EDQUOT", "EROFS", "EACCES", "EPERM", "EIO", "ENOTDIR"];

/** Whether an error says that a disk, or another storage, is full, broken, away or not to be written to. */
export function isDiskTrouble(thrown: unknown): boolean {
  return thrown instanceof StorageError || diskCodes.some((code) => hasCode(thrown, code));
}
