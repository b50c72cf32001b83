import { isDeepStrictEqual } from "node:util";
import { priceOfCall } from "../shared/call-price.ts";
import { cardOfRun } from "../shared/model-registry.ts";
import type { RunFile } from "../shared/run-file.ts";
import { UsageError } from "../shared/usage-error.ts";

/** What a run is asked for, whether it is new or resumed. */
export type RunSettings = Pick<
  RunFile,
  | "source"
  | "profile"
  | "model"
  | "parameters"
  | "numGenerations"
  | "maxGenerationsPerCall"
  | "limit"
  | "attempts"
  | "maxCostUsd"
  | "pricePerImageUsd"
  | "timeoutMs"
  | "limits"
  | "durable"
> & { seed?: number | undefined; workers?: RunFile["workers"] | undefined };

/**
 * A budget can only be kept where it is known what a call costs. Rows with parameters of their own are looked at one by one.
 * @throws UsageError
 */
export function requirePrice(settings: RunSettings): void {
  const { source, model, parameters, maxCostUsd } = settings;
  const fromRows = source.paramsColumn !== undefined || Object.keys(source.paramFrom).length > 0;
  if (maxCostUsd === null || fromRows) return;
  if (priceOfCall(cardOfRun(settings), { images: 1, prompt: "", parameters })) return;
  throw new UsageError(
    `--max-cost cannot be kept: no price is known for ${model} with these parameters. ` +
      "Say what an image costs, such as --price-per-image 0.04",
  );
}

/** Shows a setting in a message. */
function show(value: unknown): string {
  return typeof value === "string" ? value : JSON.stringify(value);
}

/** What was asked then and is asked now, of the settings that a run keeps for good. */
function fixedSettings(then: RunFile, now: RunSettings): [string, unknown, unknown][] {
  return [
    ["dataset", then.source.path, now.source.path],
    ["format", then.source.format, now.source.format],
    ["prompt column", then.source.promptColumn, now.source.promptColumn],
    ["id column", then.source.idColumn ?? null, now.source.idColumn ?? null],
    ["parameters column", then.source.paramsColumn ?? null, now.source.paramsColumn ?? null],
    ["parameters from columns", then.source.paramFrom, now.source.paramFrom],
    ["provider", then.profile.name, now.profile.name],
    ["base URL (by its hash)", then.profile.hash, now.profile.hash],
    ["model", then.model, now.model],
    ["parameters", then.parameters, now.parameters],
    ["seed", then.seed, now.seed ?? then.seed],
  ];
}

/**
 * Takes over what may change on resume.
 * @throws UsageError naming everything that differs and may not
 */
export function resumedRun(then: RunFile, now: RunSettings, directory: string): RunFile {
  const differences = fixedSettings(then, now).filter(
    ([, before, after]) => !isDeepStrictEqual(before, after),
  );
  const problems = differences.map(
    ([name, before, after]) => `${name} was ${show(before)}, now ${show(after)}`,
  );
  if (now.numGenerations < then.numGenerations) {
    problems.push(
      `images a prompt were ${then.numGenerations}, now ${now.numGenerations} (may only grow)`,
    );
  }
  if (now.limit !== null && (then.limit === null || now.limit < then.limit)) {
    problems.push(`limit was ${then.limit ?? "none"}, now ${now.limit} (may only grow)`);
  }
  if (problems.length > 0) {
    throw new UsageError(
      `${directory} holds run ${then.id}, which was asked for something else: ${problems.join("; ")}. ` +
        "Give the same settings, or start a new run with another --out",
    );
  }
  const { numGenerations, maxGenerationsPerCall, limit, attempts, timeoutMs, durable } = now;
  const { maxCostUsd, pricePerImageUsd, workers = then.workers } = now;
  const { limits: _, ...kept } = then;
  return {
    ...kept,
    numGenerations,
    maxGenerationsPerCall,
    limit,
    attempts,
    maxCostUsd,
    pricePerImageUsd,
    timeoutMs,
    durable,
    ...(now.limits && { limits: now.limits }),
    workers,
  };
}
