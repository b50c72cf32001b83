import { didYouMean } from "../../shared/near-match.ts";
import { UsageError } from "../../shared/usage-error.ts";

/**
 * Refuses options of a model that it does not know, naming the near match.
 * @throws UsageError
 */
export function refuseUnknownOptions(
  model: string,
  options: object,
  known: readonly string[],
): void {
  for (const name of Object.keys(options)) {
    if (!known.includes(name)) {
      const near = didYouMean(name, known) || `; it takes ${known.join(", ")}`;
      throw new UsageError(`${model} has no option \`${name}\`${near}`);
    }
  }
}

/** @throws UsageError where the value is not a whole number of at least `minimum` */
export function requireWhole(name: string, value: number, minimum: number): void {
  if (!Number.isInteger(value) || value < minimum) {
    throw new UsageError(
      `Expected \`${name}\` to be a whole number from ${minimum} up, got \`${String(value)}\``,
    );
  }
}

/** @throws UsageError where the value is not an http or https URL */
export function requireUrl(name: string, value: string): void {
  if (!URL.canParse(value) || !/^https?:$/.test(new URL(value).protocol)) {
    throw new UsageError(`Expected \`${name}\` to be an http or https URL`);
  }
}
