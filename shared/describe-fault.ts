import type { z } from "zod";
import { didYouMean } from "./near-match.ts";

/** The first thing that is wrong with what was given. */
export interface Fault {
  /** The member that it is about. */
  name: string;
  /** Such as `expected standard, hd`. */
  expected: string;
  /** What came, as JSON, with a near match where there is one. */
  got: string;
}

/** Says what a schema found wrong in words for people. */
export function describeFault(error: z.ZodError, given: Record<string, unknown>): Fault {
  const issue = error.issues[0]!;
  const name = String(issue.path[0] ?? "");
  const value = given[name];
  const choices = issue.code === "invalid_value" ? issue.values.map(String) : [];
  const expected =
    choices.length > 0
      ? `expected ${choices.join(", ")}`
      : issue.message.replace("Invalid input: ", "").replace(/, received .*$/, "");
  const near = typeof value === "string" ? didYouMean(value, choices) : "";
  return { name, expected, got: `${JSON.stringify(value)}${near}` };
}
