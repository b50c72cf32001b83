import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { JournalLine } from "../../../shared/journal-line.ts";
import type { ImageRecord } from "../../../shared/result.ts";
import type { RunFile } from "../../../shared/run-file.ts";
import { temporaryFolder } from "../../helpers/temporary-folder.ts";

/** A run of two images for each prompt by a model that makes one in a call. */
export function runFile(changes: Partial<RunFile> = {}): RunFile {
  return {
    v: 1,
    id: "abcdefghijk2",
    createdAt: "2026-11-23T00:00:00.000Z",
    host: "host",
    source: { path: "/data/prompts.jsonl", format: "jsonl", promptColumn: "prompt", paramFrom: {} },
    profile: { name: "openai", kind: "openai", hash: "00000000" },
    model: "gpt-image-2",
    parameters: { size: "1024x1024" },
    seed: 1,
    numGenerations: 2,
    maxGenerationsPerCall: 1,
    limit: null,
    maxCostUsd: null,
    pricePerImageUsd: null,
    attempts: 5,
    timeoutMs: 1000,
    durable: false,
    workers: "here",
    round: 0,
    revision: 0,
    unsettledCalls: 0,
    retryKinds: null,
    summary: null,
    outputsAt: null,
    dataset: { size: 0, mtimeMs: 0, rows: null },
    ...changes,
  };
}

/** The file that an image has in these runs. */
export function fileOf(index: number, generation: number): string {
  return `images/00000/${String(index).padStart(8, "0")}-${generation}.png`;
}

function image(index: number, generation: number): ImageRecord {
  const sha256 = String(index).padStart(64, "0");
  return {
    generation,
    file: fileOf(index, generation),
    width: 8,
    height: 4,
    bytes: 100 + index,
    sha256,
    costUsd: 0.25,
  };
}

/** The line of a prompt with these generations in storage, out of two. */
export function promptLine(
  index: number,
  generations: number[],
  changes: Partial<JournalLine> = {},
): JournalLine {
  const missing = [0, 1].filter((generation) => !generations.includes(generation));
  const message = `refused ${index}`;
  const worker = { startedAt: 1, endedAt: 2, worker: "w", burned: true, sent: true };
  return {
    v: 1,
    index,
    round: 0,
    state: missing.length === 0 ? "succeeded" : generations.length > 0 ? "partial" : "failed",
    numGenerations: 2,
    newImages: generations.length,
    calls: 2,
    retries: 0,
    throttled: 0,
    settledAt: 1_790_000_000_000,
    row: { prompt: `prompt ${index}`, columns: {} },
    images: generations.map((generation) => image(index, generation)),
    failures:
      missing.length === 0
        ? []
        : [{ generations: missing, kind: "content_policy", message, status: 400 }],
    attempts: missing.map((generation) => ({
      ...worker,
      generations: [generation],
      outcome: "content_policy",
      message,
    })),
    costUsd: 0.25 * generations.length,
    ...changes,
  };
}

/** The line of a row that could not be read. */
export function rejectedLine(index: number): JournalLine {
  const { row: _row, ...line } = promptLine(index, []);
  const rejected = { row: index + 1, reason: "expected JSON", raw: "{bad" };
  return { ...line, state: "rejected", calls: 0, failures: [], attempts: [], rejected };
}

/** A run directory with this journal. */
export function runDirectory(lines: JournalLine[]): string {
  const directory = temporaryFolder();
  mkdirSync(join(directory, ".imagemill"));
  const text = lines.map((line) => `${JSON.stringify(line)}\n`).join("");
  writeFileSync(join(directory, ".imagemill", "journal.jsonl"), text);
  return directory;
}

/** The records of a file of JSON lines. */
export function jsonLines(directory: string, name: string): Record<string, unknown>[] {
  const lines = readFileSync(join(directory, name), "utf8").split("\n");
  return lines.filter((line) => line !== "").map((line) => JSON.parse(line));
}

/** A file of the run directory. */
export function textOf(directory: string, name: string): string {
  return readFileSync(join(directory, name), "utf8");
}
