import { z } from "zod";
import { openPlaceForReading } from "../producer/open-place.ts";
import { surveyRun as surveyDataset, type Survey } from "../producer/survey.ts";
import type { LaneLimits } from "../shared/lane-limits.ts";
import type { ModelCard } from "../shared/model-registry.ts";
import { parseOptions } from "../worker/providers/model-options.ts";
import { resolveRun, targetShape, type ResolvedRun, type RunTarget } from "./resolve-run.ts";

/** What a run has to do, and what its cost and time depend on. */
export interface RunSurvey extends Survey {
  /** What is known of the model, with the price that the run was told. */
  card: ModelCard;
  /** Paces that are to be kept, where any are known. */
  limits: LaneLimits;
  /** The run stops before it. */
  maxCostUsd: number | null;
  /** For people: parameters that are sent though the model is not known to take them. */
  warnings: readonly string[];
}

/** What {@link surveyRun} takes: rows have to be in a file, since nothing is written. */
export interface SurveyRunOptions extends RunTarget {
  source?: string | undefined;
}

const Options = z.object({ ...targetShape, source: z.string().optional() });

/**
 * Says what `openRun` with these options would have to do. Reads the whole dataset, writes nothing, and may be asked while a
 * producer has the run.
 * @throws UsageError where the run would be refused
 */
export async function surveyRun(options: SurveyRunOptions): Promise<RunSurvey> {
  parseOptions("surveyRun", Options, options);
  const place = await openPlaceForReading(options.out, options);
  try {
    const resolved = await resolveRun(options, place);
    return asRunSurvey(await surveyDataset(resolved), resolved);
  } finally {
    await place.close();
  }
}

/** What the producer found, as the library's users have it. */
export function asRunSurvey(survey: Survey, resolved: ResolvedRun): RunSurvey {
  const { settings, pricedCard, limits, warnings } = resolved;
  return { ...survey, card: pricedCard, limits, maxCostUsd: settings.maxCostUsd, warnings };
}
