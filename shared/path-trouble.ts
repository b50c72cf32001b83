import { hasCode } from "./caught.ts";

/** By the system's code, why a path cannot be used whatever is tried again. */
const reasons: Record<string, string> = {
  ENOTDIR: "it is a file, or lies below one",
  EISDIR: "a folder is where a file is expected",
  EEXIST: "a file, or a link to nowhere, is where a folder is expected",
  ENAMETOOLONG: "it is too long (a name has at most 255 bytes, a path about 4,000)",
  ELOOP: "its symbolic links lead in a circle",
  EACCES: "this user has no permission there",
  EPERM: "the system does not permit it",
  EROFS: "the disk is read-only",
  ENOENT: "no folder can be made there",
};

/** Why the path that an error of the system is about cannot be used; undefined for any other error. */
export function pathTrouble(error: unknown): string | undefined {
  return Object.entries(reasons).find(([code]) => hasCode(error, code))?.[1];
}

/** A path for a message: the beginning of one that would fill the screen. */
export function shownPath(path: string): string {
  return path.length > 200 ? `${path.slice(0, 200)}…` : path;
}
