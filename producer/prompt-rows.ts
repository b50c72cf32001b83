import { charsBeyond } from "../shared/chars-beyond.ts";
import { priceOfCall } from "../shared/call-price.ts";
import type { Deaths } from "../shared/deaths.ts";
import { jobId, JOB_VERSION, type PromptJob } from "../shared/job.ts";
import { parseParameters } from "../shared/model-parameters.ts";
import type { ModelCard } from "../shared/model-registry.ts";
import { modelParameters } from "../shared/parameter-schemas.ts";
import type { RunFile } from "../shared/run-file.ts";
import { UsageError } from "../shared/usage-error.ts";
import type { DatasetRow } from "./dataset/build-row.ts";
import type { EarlierImages } from "./replay.ts";
import type { InFlight } from "./window.ts";

/** A row that holds a prompt. */
export type ReadableRow = Extract<DatasetRow, { ok: true }>;

/** What is known of the run's model. */
export interface TakenModel {
  card: ModelCard;
  /** Whether parameters that the card does not know go to the server as they are. */
  passThrough: boolean;
}

/** Why a row cannot be made into images, found before anything is paid; undefined where it can. */
export function refusal(
  row: ReadableRow,
  run: Pick<RunFile, "model" | "parameters" | "maxCostUsd">,
  { card, passThrough }: TakenModel,
): string | undefined {
  const chars = charsBeyond(row.prompt, card.maxPromptChars);
  if (chars !== undefined)
    return `the prompt has ${chars} characters, ${run.model} takes ${card.maxPromptChars}`;
  if (Object.keys(row.parameters).length === 0) return undefined;
  const given = { ...run.parameters, ...row.parameters };
  try {
    const { parameters } = parseParameters(modelParameters(card), given, { passThrough });
    const call = { images: 1, prompt: row.prompt, parameters };
    if (run.maxCostUsd === null || priceOfCall(card, call)) return undefined;
    return "no price is known for these parameters, so --max-cost cannot be kept (--price-per-image tells it)";
  } catch (error) {
    if (error instanceof UsageError) return error.message;
    throw error;
  }
}

/**
 * The prompt job of a row. `earlier`: images that it has from before. `mayExist`: it may have been sent before. `deaths`: of
 * processes that had it in hand.
 */
export function promptOf(
  row: ReadableRow,
  run: RunFile,
  {
    earlier,
    mayExist,
    deaths,
  }: { earlier?: EarlierImages | undefined; mayExist: boolean; deaths?: Deaths | undefined },
): InFlight {
  const job: PromptJob = {
    v: JOB_VERSION,
    run: run.id,
    round: run.round,
    index: row.index,
    prompt: row.prompt,
    numGenerations: run.numGenerations,
    ...(Object.keys(row.parameters).length > 0 && { parameters: row.parameters }),
    ...(earlier && earlier.have.length > 0 && { have: earlier.have }),
    ...(mayExist && { mayExist }),
    ...(deaths && { deaths }),
  };
  const { id, prompt, columns } = row;
  return {
    id: jobId(run.id, run.round, row.index),
    row: { ...(id !== undefined && { id }), prompt, columns },
    job,
    bytes: Buffer.byteLength(prompt) + JSON.stringify([job.parameters, job.have, columns]).length,
    addedAt: 0,
    ...(earlier && { gone: earlier.gone }),
  };
}
