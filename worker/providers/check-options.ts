import type { z } from "zod";
import { didYouMean } from "../../shared/near-match.ts";
import { UsageError } from "../../shared/usage-error.ts";
import { requireWhole } from "./require-whole.ts";

const callOptions = ["numGenerations", "seed", "parameters", "signal", "memory"];
const allOptions = [...callOptions, "concurrency", "onWarning"];

/**
 * Checks the options of one call: their names, since one that is misspelt would be left out in silence, and their numbers.
 * @throws UsageError
 */
export function checkCallOptions(options: object, parameters: z.ZodObject): void {
  checkNames(options, callOptions, parameters);
  checkNumbers(options);
}

/** Checks the options of `generate`. @throws UsageError */
export function checkGenerateOptions(options: object, parameters: z.ZodObject): void {
  checkNames(options, allOptions, parameters);
  checkNumbers(options);
}

function checkNames(options: object, known: readonly string[], parameters: z.ZodObject): void {
  for (const name of Object.keys(options)) {
    if (known.includes(name)) continue;
    if (Object.hasOwn(parameters.shape, name))
      throw new UsageError(`\`${name}\` is a parameter of the model: give it in \`parameters\``);
    const near = didYouMean(name, known) || `; there are ${known.join(", ")}`;
    throw new UsageError(`unknown option \`${name}\`${near}`);
  }
}

function checkNumbers(options: {
  numGenerations?: number;
  concurrency?: number;
  seed?: number;
}): void {
  const { numGenerations, concurrency, seed } = options;
  if (numGenerations !== undefined) requireWhole("numGenerations", numGenerations, 1);
  if (concurrency !== undefined) requireWhole("concurrency", concurrency, 1);
  if (seed !== undefined) requireWhole("seed", seed, 0);
}
