import { readFileSync } from "node:fs";
import { join } from "node:path";
import { filesBelow } from "./run-files.ts";
import type { S3Server } from "./s3-server.ts";

const journal = ".imagemill/journal.jsonl";

/** Puts a run directory into a server's bucket as a run is kept there: its journal in parts of so many lines. */
export function storeRun(
  { bucket }: S3Server,
  directory: string,
  { prefix = "runs/first/", linesAPart = 2 } = {},
): void {
  for (const name of filesBelow(directory))
    if (name !== journal) bucket.set(prefix + name, readFileSync(join(directory, name)));
  const lines = readFileSync(join(directory, journal), "utf8").match(/.*\n/g) ?? [];
  for (let part = 1; lines.length > 0; part++) {
    const bytes = Buffer.from(lines.splice(0, linesAPart).join(""));
    bucket.set(`${prefix}.imagemill/journal/${String(part).padStart(8, "0")}.jsonl`, bytes);
  }
}
