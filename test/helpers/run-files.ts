import { createHash } from "node:crypto";
import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { JournalLine } from "../../shared/journal-line.ts";

/** One record of `results.jsonl`. */
export interface ResultRecord {
  index: number;
  prompt: string;
  model_name: string;
  state: string;
  images: (string | null)[];
  generations: { images: (string | null)[] }[];
}

/** The whole lines of a JSONL file, parsed; none where the file is not there yet. */
export function readRecords<Shape>(path: string): Shape[] {
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return [];
    throw error;
  }
  const lines = text.slice(0, text.lastIndexOf("\n") + 1).split("\n");
  return lines.filter((line) => line !== "").map((line) => JSON.parse(line) as Shape);
}

/** The journal of a run directory, checked by its schema. */
export function readJournalOf(out: string): JournalLine[] {
  return readRecords(join(out, ".imagemill", "journal.jsonl")).map((line) =>
    JournalLine.parse(line),
  );
}

/** `results.jsonl` of a run directory. */
export function readResults(out: string): ResultRecord[] {
  return readRecords(join(out, "results.jsonl"));
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
