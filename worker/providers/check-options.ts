import type { z } from "zod";
import { didYouMean } from "../../shared/near-match.ts";
import { UsageError } from "../../shared/usage-error.ts";
import { requireWhole } from "./require-whole.ts";

const callOptions = ["numGenerations", "seed", "parameters", "signal", "memory"];
const allOptions = [...callOptions, "concurrency", "onWarning"];

/**
 * Checks the options of one call: their names, since one that is misspelt would be left out in silence, and their values.
 * @throws UsageError
 */
export function checkCallOptions(options: object, parameters: z.ZodObject): void {
  checkNames(options, callOptions, parameters);
  checkValues({ ...options });
}

/** Checks the options of `generate`. @throws UsageError */
export function checkGenerateOptions(options: object, parameters: z.ZodObject): void {
  checkNames(options, allOptions, parameters);
  checkValues({ ...options });
}

function checkNames(options: object, known: readonly string[], parameters: z.ZodObject): void {
  requireObject("the options", options);
  for (const name of Object.keys(options)) {
    if (known.includes(name)) continue;
    if (Object.hasOwn(parameters.shape, name))
      throw new UsageError(`\`${name}\` is a parameter of the model: give it in \`parameters\``);
    const near = didYouMean(name, known) || `; there are ${known.join(", ")}`;
    throw new UsageError(`unknown option \`${name}\`${near}`);
  }
}

function checkValues(options: Partial<Record<string, unknown>>): void {
  const { numGenerations, concurrency, seed, parameters, signal, onWarning } = options;
  if (numGenerations !== undefined) requireWhole("numGenerations", numGenerations, 1);
  if (concurrency !== undefined) requireWhole("concurrency", concurrency, 1);
  if (seed !== undefined) requireWhole("seed", seed, 0);
  if (parameters !== undefined) requireObject("`parameters`", parameters);
  if (signal !== undefined && !(signal instanceof AbortSignal))
    throw new UsageError(`Expected \`signal\` to be an AbortSignal, got ${describe(signal)}`);
  if (onWarning !== undefined && typeof onWarning !== "function")
    throw new UsageError(`Expected \`onWarning\` to be a function, got ${describe(onWarning)}`);
}

/** @throws UsageError where the value is no object, or an array */
export function requireObject(what: string, value: unknown): asserts value is object {
  if (typeof value === "object" && value !== null && !Array.isArray(value)) return;
  throw new UsageError(`Expected ${what} to be an object, got ${describe(value)}`);
}

function describe(value: unknown): string {
  if (value === null) return "null";
  return Array.isArray(value) ? "an array" : typeof value;
}
