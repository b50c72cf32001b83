import { InvalidArgumentError } from "commander";

/** Parts of a text that commas separate; empty ones do not count. */
export function splitList(text: string): string[] {
  const parts = text.split(",").map((part) => part.trim());
  return parts.filter((part) => part !== "");
}

/** The parser of an option that takes several values, separated by commas or given one by one. */
export function listOption(text: string, previous: readonly string[] = []): string[] {
  const parts = splitList(text);
  if (parts.length > 0) return [...previous, ...parts];
  throw new InvalidArgumentError(
    `Expected a value, or several with commas between, got \`${text}\`.`,
  );
}
