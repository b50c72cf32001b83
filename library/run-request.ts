import { z } from "zod";
import { formatOf } from "../producer/dataset/dataset-format.ts";
import type { RunPlace } from "../producer/run-place.ts";
import type { RunSettings } from "../producer/run-settings.ts";
import { generationsPerCall } from "../shared/generations-per-call.ts";
import { LaneLimits, lowestLimits } from "../shared/lane-limits.ts";
import { parseParameters } from "../shared/model-parameters.ts";
import type { ModelCard } from "../shared/model-registry.ts";
import { modelParameters } from "../shared/parameter-schemas.ts";
import type { ProfileIdentity } from "../shared/profile.ts";
import { DatasetFormat, type DatasetSource, type RunFile } from "../shared/run-file.ts";
import { UsageError } from "../shared/usage-error.ts";
import { spoolRows, type PromptRows } from "./spool-rows.ts";

/**
 * What a run is asked for. On resume what is not given stays as it was, unless `isWhole`; what is said of money stays in any
 * case.
 */
export interface RunRequest {
  /**
   * True: this is all that is wished. What is not given has its default on resume, too, and where that is not what the run was
   * asked for before, it is refused as any other difference. Default false.
   */
  isWhole?: boolean | undefined;
  /**
   * A dataset's path, or rows from code. Rows are first written into the run directory, all of them; a run that has them
   * goes on with what it has and asks for no row again. Needed for a new run.
   */
  source?: string | PromptRows | undefined;
  /** Of a dataset file. Default: by its extension. */
  format?: DatasetFormat | undefined;
  /** Default `prompt`. */
  promptColumn?: string | undefined;
  /** A column whose value is carried as the prompt's id. */
  idColumn?: string | undefined;
  /** A column that holds a row's parameters as an object. */
  paramsColumn?: string | undefined;
  /** Parameter name → column that gives its value, row by row. */
  paramFrom?: Record<string, string> | undefined;
  /** Needed for a new run. */
  model?: string | undefined;
  /** Parameters of every call, checked by the model's schema. */
  parameters?: Record<string, unknown> | undefined;
  /** Images for each prompt. Default 1; may grow on resume. */
  numGenerations?: number | undefined;
  /** Images that one call may ask for. Default: as many as the model can make; that is also the most. */
  maxGenerationsPerCall?: number | undefined;
  /** Seeds of images are derived from it where the model takes seeds. Default: a random one. */
  seed?: number | undefined;
  /** Only the first so many rows. Default: all. May grow on resume. */
  limit?: number | null | undefined;
  /** Tries of a call before its images are given up. Default 8. */
  attempts?: number | undefined;
  /** Longest call in milliseconds. Default 180,000. */
  timeoutMs?: number | undefined;
  /** The run stops before more US dollars than this could be spent; `null`: no limit. May grow on resume. */
  maxCostUsd?: number | null | undefined;
  /** Paces of the lane, where less is wanted than the provider allows; `{}`: none. */
  limits?: LaneLimits | undefined;
  /** US dollars an image, instead of the prices that are known. */
  pricePerImageUsd?: number | null | undefined;
  /** An image counts as stored once the disk has it. Default false. */
  durable?: boolean | undefined;
  /**
   * Whether `imagemill resume` of the run makes its images, too, or leaves them to workers elsewhere. Default: as before, else
   * `here`.
   */
  workers?: RunFile["workers"] | undefined;
}

const whole = (least: number) => z.int().min(least).optional();

/** Longest call in milliseconds, where nothing is said. */
export const defaultTimeoutMs = 180_000;

/** The checks of a {@link RunRequest} that need nothing else. */
export const requestShape = {
  isWhole: z.boolean().optional(),
  source: z.unknown().optional(),
  format: DatasetFormat.optional(),
  promptColumn: z.string().optional(),
  idColumn: z.string().optional(),
  paramsColumn: z.string().optional(),
  paramFrom: z.record(z.string(), z.string()).optional(),
  model: z.string().min(1).optional(),
  parameters: z.record(z.string(), z.unknown()).optional(),
  numGenerations: whole(1),
  maxGenerationsPerCall: whole(1),
  seed: whole(0),
  limit: z.int().min(0).nullish(),
  attempts: whole(1),
  timeoutMs: whole(1),
  maxCostUsd: z.number().min(0).nullish(),
  limits: LaneLimits.optional(),
  pricePerImageUsd: z.number().min(0).nullish(),
  durable: z.boolean().optional(),
  workers: z.enum(["here", "elsewhere"]).optional(),
};

/** What settings depend on besides the request. */
interface RequestContext {
  place: RunPlace;
  profile: ProfileIdentity;
  card: ModelCard;
  /** Parameters that the model is not known to take are sent. */
  passThrough: boolean;
  present: RunFile | undefined;
}

/** The settings of a run, new or `present`. Warnings are for people. @throws UsageError */
export async function settingsOf(
  request: RunRequest,
  { place, profile, card, passThrough, present }: RequestContext,
): Promise<{ settings: RunSettings; warnings: string[] }> {
  const before = request.isWhole ? undefined : present;
  const { parameters, warnings } = request.parameters
    ? parseParameters(modelParameters(card), request.parameters, { passThrough })
    : { parameters: before?.parameters ?? {}, warnings: [] };
  const limits = lowestLimits([request.limits ?? before?.limits]);
  const settings: RunSettings = {
    source: await sourceOf(request, place, before?.source),
    profile,
    model: card.id,
    parameters,
    seed: request.seed,
    numGenerations: request.numGenerations ?? before?.numGenerations ?? 1,
    maxGenerationsPerCall: generationsPerCall(
      card,
      request.maxGenerationsPerCall ?? before?.maxGenerationsPerCall,
    ),
    limit: orBefore(request.limit, before?.limit),
    attempts: request.attempts ?? before?.attempts ?? 8,
    // Of money nothing is lifted by being left out, even where all else is asked for anew.
    maxCostUsd: orBefore(request.maxCostUsd, present?.maxCostUsd),
    pricePerImageUsd: orBefore(request.pricePerImageUsd, present?.pricePerImageUsd),
    timeoutMs: request.timeoutMs ?? before?.timeoutMs ?? defaultTimeoutMs,
    ...(Object.keys(limits).length > 0 && { limits }),
    durable: request.durable ?? before?.durable ?? false,
    ...(request.workers && { workers: request.workers }),
  };
  return { settings, warnings };
}

/** `null` is a wish of its own: no limit. */
function orBefore(asked: number | null | undefined, before: number | null = null): number | null {
  return asked === undefined ? before : asked;
}

async function sourceOf(
  request: RunRequest,
  place: RunPlace,
  before: DatasetSource | undefined,
): Promise<DatasetSource> {
  const { source, idColumn = before?.idColumn, paramsColumn = before?.paramsColumn } = request;
  if (source === undefined && !before)
    throw new UsageError(
      `${place.location} holds no run yet: give \`source\`, a dataset's path or rows`,
    );
  const path =
    source === undefined
      ? before!.path
      : place.pathOf(typeof source === "string" ? source : await spoolRows(source, place));
  const unchanged = path === before?.path ? before.format : undefined;
  return {
    path,
    format: request.format ?? unchanged ?? formatOf(path),
    promptColumn: request.promptColumn ?? before?.promptColumn ?? "prompt",
    ...(idColumn !== undefined && { idColumn }),
    ...(paramsColumn !== undefined && { paramsColumn }),
    paramFrom: request.paramFrom ?? before?.paramFrom ?? {},
  };
}
