import { UsageError } from "../../shared/usage-error.ts";

/** @throws UsageError where the value is not a whole number of at least `minimum` */
export function requireWhole(name: string, value: unknown, minimum: number): void {
  if (typeof value !== "number" || !Number.isInteger(value) || value < minimum) {
    throw new UsageError(
      `Expected \`${name}\` to be a whole number from ${minimum} up, got \`${String(value)}\``,
    );
  }
}
