import { jsonOf } from "./parse-json.ts";
import { UsageError } from "./usage-error.ts";

/** Something was written by a newer imagemill than this one: only an update of this one helps. */
export class NewerVersionError extends UsageError {
  constructor(what: string, version: number, known: number) {
    super(
      `${what} was written by a newer imagemill (version ${version} of its form, this one reads ${known}): update this one`,
    );
  }
}

/** The version of something from outside, where it is newer than the one that is known here. */
function newerVersion(value: unknown, known: number): number | undefined {
  if (typeof value !== "object" || value === null || !("v" in value)) return undefined;
  return typeof value.v === "number" && value.v > known ? value.v : undefined;
}

/** Whether a text is JSON of a newer version than the one that is known here. */
export function isNewerText(text: string, known: number): boolean {
  const value = jsonOf(text);
  return newerVersion(value, known) !== undefined;
}

/** @throws NewerVersionError where `value` has a newer version than the one that is known here */
export function refuseNewer(what: string, value: unknown, known: number): void {
  const version = newerVersion(value, known);
  if (version !== undefined) throw new NewerVersionError(what, version, known);
}
