import { randomBytes } from "node:crypto";
import { join } from "node:path";
import { z } from "zod";
import { LaneLimits } from "./lane-limits.ts";
import { ProfileIdentity } from "./profile.ts";
import { readState } from "./read-state.ts";
import { Usage } from "./result.ts";
import { stateFilesOf, stateFolder, type StateAt } from "./state-files.ts";

/** Version of `run.json`. */
export const RUN_FILE_VERSION = 1;

/** How a run ended. */
export const RunState = z.enum(["completed", "completed_with_failures", "stopped", "cancelled"]);
export type RunState = z.infer<typeof RunState>;

/** What a run came to, as `--json` prints it. */
export const RunSummary = z.object({
  run: z.string(),
  state: RunState,
  out: z.string(),
  prompts: z.object({
    total: z.int(),
    succeeded: z.int(),
    partial: z.int(),
    failed: z.int(),
    rejected: z.int(),
  }),
  images: z.int(),
  /** Requests known to have been sent: those that a killed process had in flight are not among them. */
  calls: z.int(),
  retries: z.int(),
  throttled: z.int(),
  usage: Usage,
  costUsd: z.number().nullable(),
  /** The most that may be charged on top, for calls that failed after the provider had them. */
  mayCostUsd: z.number().optional(),
  seconds: z.number(),
  /** Why a run stopped, and what to do. */
  reason: z.string().optional(),
});
export type RunSummary = z.infer<typeof RunSummary>;

/** Formats that a dataset can have. */
export const DatasetFormat = z.enum(["jsonl", "json", "csv", "tsv", "txt"]);
export type DatasetFormat = z.infer<typeof DatasetFormat>;

/** Where the prompts come from and how a row is read. */
export const DatasetSource = z.object({
  /** Absolute path. */
  path: z.string(),
  format: DatasetFormat,
  promptColumn: z.string(),
  idColumn: z.string().optional(),
  paramsColumn: z.string().optional(),
  /** Parameter name → column that gives its value for each row. */
  paramFrom: z.record(z.string(), z.string()),
});
export type DatasetSource = z.infer<typeof DatasetSource>;

/** `.imagemill/run.json`: what was asked for; at the end also what it came to. Holds no key and no base URL. */
export const RunFile = z.object({
  v: z.literal(RUN_FILE_VERSION),
  id: z.string(),
  createdAt: z.string(),
  host: z.string(),
  source: DatasetSource,
  profile: ProfileIdentity,
  model: z.string(),
  /** Parameters of every call, as validated by the model's schema. */
  parameters: z.record(z.string(), z.unknown()),
  /** Seeds of images are derived from it where the model takes seeds. */
  seed: z.int(),
  numGenerations: z.int().min(1),
  /** Images that one call may ask for: the model's maximum or `--max-per-call`. */
  maxGenerationsPerCall: z.int().min(1),
  limit: z.int().min(0).nullable(),
  attempts: z.int().min(1),
  /** The run stops before more US dollars than this could be spent. */
  maxCostUsd: z.number().min(0).nullable().default(null),
  /** US dollars an image, where that was told instead of the model's own prices. */
  pricePerImageUsd: z.number().min(0).nullable().default(null),
  timeoutMs: z.int().min(1),
  /** Limits that its lane has to keep. */
  limits: LaneLimits.optional(),
  durable: z.boolean(),
  /** Who made the images when the run was last started: its own process, or workers elsewhere. */
  workers: z.enum(["here", "elsewhere"]).default("here"),
  round: z.int().min(0),
  /** Counts the times that the run was resumed with other settings. */
  revision: z.int().min(0),
  /** Kinds of failure that this round settles again; null in round 0. */
  retryKinds: z.array(z.string()).nullable(),
  summary: RunSummary.nullable(),
  /** It was stopped because all prompts were refused alike: who opens it again has them tried again. */
  refusedAlike: z.boolean().optional(),
  /** Requests sent for prompts that were taken out of the queue unsettled: no journal line counts them. */
  unsettledCalls: z.int().min(0).default(0),
  /** Bytes of the journal that the output files stand for; null while they have to be written. */
  outputsAt: z.int().nullable(),
  /** The dataset's file as it was last read, to know an unchanged one at a glance; `rows` once its end was reached. */
  dataset: z.object({ size: z.int(), mtimeMs: z.number(), rows: z.int().nullable() }),
});
export type RunFile = z.infer<typeof RunFile>;

/** A run's random id: 12 letters and digits that cannot be mistaken for each other. */
export function newRunId(): string {
  const alphabet = "abcdefghijklmnopqrstuvwxyz234567";
  return Array.from(randomBytes(12), (byte) => alphabet[byte & 31]).join("");
}

/** How many rows the run asks for; undefined where neither the dataset's end was read nor a limit was given. */
export function wantedRows({
  dataset: { rows },
  limit,
}: Pick<RunFile, "dataset" | "limit">): number | undefined {
  return rows === null ? (limit ?? undefined) : Math.min(rows, limit ?? rows);
}

/** The name of the file among the run's state files. */
const fileName = "run.json";

/** Where a run directory's `run.json` is. */
export function runFilePath(directory: string): string {
  return join(directory, stateFolder, fileName);
}

/**
 * Reads `run.json` of a run; undefined where there is none.
 * @throws NewerVersionError where a newer version wrote it
 * @throws UsageError naming the file where it is damaged
 */
export async function readRunFile(at: StateAt): Promise<RunFile | undefined> {
  return await readState(at, fileName, {
    schema: RunFile,
    version: RUN_FILE_VERSION,
    damaged: (path, why) =>
      `${path} is damaged (${why}): bring it back from a copy, or start a new run with another --out`,
  });
}

/** Writes `run.json` as a whole. */
export async function writeRunFile(at: StateAt, run: RunFile): Promise<void> {
  await stateFilesOf(at).write(fileName, `${JSON.stringify(run, null, 2)}\n`);
}
