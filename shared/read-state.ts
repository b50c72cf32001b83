import { z } from "zod";
import { messageOf } from "./caught.ts";
import { refuseNewer } from "./newer-version.ts";
import { stateFilesOf, stateFolder, type StateAt } from "./state-files.ts";
import { UsageError } from "./usage-error.ts";

/** What a state file holds, and what is said of one that does not. */
export interface StateForm<T> {
  schema: z.ZodType<T>;
  version: number;
  /** What a person has to do, from where the file is and what is wrong with it. */
  damaged: (path: string, why: string) => string;
}

/**
 * Reads a state file of a run; undefined where there is none.
 * @throws NewerVersionError where a newer version wrote it
 * @throws UsageError naming the file where it is damaged
 */
export async function readState<T>(
  at: StateAt,
  name: string,
  { schema, version, damaged }: StateForm<T>,
): Promise<T | undefined> {
  const files = stateFilesOf(at);
  const text = await files.read(name);
  if (text === undefined) return undefined;
  const path = `${files.location}/${stateFolder}/${name}`;
  try {
    const value: unknown = JSON.parse(text);
    refuseNewer(path, value, version);
    return schema.parse(value);
  } catch (error) {
    if (error instanceof UsageError) throw error;
    throw new UsageError(damaged(path, describeDamage(error)), { cause: error });
  }
}

/** The field that is wrong with what was expected there, or why it is no JSON. */
function describeDamage(error: unknown): string {
  if (!(error instanceof z.ZodError)) return messageOf(error).split("\n")[0]!;
  const faults = error.issues.map(({ path, message }) => `\`${path.join(".")}\`: ${message}`);
  return faults.slice(0, 3).join("; ");
}
