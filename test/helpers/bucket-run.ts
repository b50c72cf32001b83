import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import type { S3Bucket } from "./s3-objects.ts";

const parts = ".imagemill/journal/";

/** What lies below a prefix, by name. */
function objectsBelow(bucket: S3Bucket, prefix: string): [name: string, bytes: Buffer][] {
  const keys = [...bucket.keys()].filter((key) => key.startsWith(prefix)).toSorted();
  return keys.map((key) => [key.slice(prefix.length), bucket.get(key)!]);
}

/** The parts of the journal of a run in a bucket, as one text. */
function journalIn(bucket: S3Bucket, prefix: string): string {
  return objectsBelow(bucket, prefix + parts)
    .map(([, bytes]) => bytes.toString())
    .join("");
}

/** How many results a run in a bucket has; `prefix` ends with a slash. */
export function settledIn(bucket: S3Bucket, prefix: string): number {
  return journalIn(bucket, prefix).split("\n").length - 1;
}

/** Copies a run out of a bucket into a folder, as people do, with the journal in one file as a folder has it. */
export function downloadRun(bucket: S3Bucket, prefix: string, folder: string): void {
  for (const [name, bytes] of objectsBelow(bucket, prefix)) {
    const path = join(folder, name);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, bytes);
  }
  writeFileSync(join(folder, ".imagemill", "journal.jsonl"), journalIn(bucket, prefix));
}
