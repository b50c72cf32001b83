import { createHash } from "node:crypto";
import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import { JournalLine } from "../../shared/journal-line.ts";

/** One record of `results.jsonl`. */
export const ResultRecord = z.looseObject({
  index: z.int(),
  prompt: z.string().nullable(),
  state: z.string(),
  images: z.array(z.string().nullable()),
  generations: z.array(z.object({ images: z.array(z.string().nullable()) })),
});
export type ResultRecord = z.infer<typeof ResultRecord>;

const AnyRecord = z.record(z.string(), z.unknown());

/** The whole lines of a JSONL file; none where the file is not there yet. */
function readLines(path: string): unknown[] {
  if (!existsSync(path)) return [];
  const text = readFileSync(path, "utf8");
  const lines = text.slice(0, text.lastIndexOf("\n") + 1).split("\n");
  return lines.filter((line) => line !== "").map((line): unknown => JSON.parse(line));
}

/** The records of an output file of a run directory. */
export function readRecords(out: string, name: string): Record<string, unknown>[] {
  return readLines(join(out, name)).map((line) => AnyRecord.parse(line));
}

/** The journal of a run directory. */
export function readJournalOf(out: string): JournalLine[] {
  const path = join(out, ".imagemill", "journal.jsonl");
  return readLines(path).map((line) => JournalLine.parse(line));
}

/** `results.jsonl` of a run directory. */
export function readResults(out: string): ResultRecord[] {
  return readLines(join(out, "results.jsonl")).map((line) => ResultRecord.parse(line));
}

/** The paths of all files below a folder, relative to it. */
export function filesBelow(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(folder.length + 1))
    .toSorted();
}

/** SHA-256 of a file in hexadecimal. */
export function sha256Of(path: string): string {
  return createHash("sha256").update(readFileSync(path)).digest("hex");
}

/** Content and time of every file below a folder: equal where nothing was touched. */
export function fingerprint(folder: string): Record<string, string> {
  return Object.fromEntries(
    filesBelow(folder).map((name) => {
      const path = join(folder, name);
      const { mtimeNs } = statSync(path, { bigint: true });
      return [name, `${sha256Of(path)} at ${mtimeNs}`];
    }),
  );
}
