import { z } from "zod";
import type { ModelCard } from "./model-registry.ts";
import { didYouMean } from "./near-match.ts";
import { acceptedParameters, parameterSchemas } from "./parameter-schemas.ts";
import { UsageError } from "./usage-error.ts";

/** What {@link parseParameters} makes of given parameters. */
export interface ParsedParameters {
  /** Only what was given, without nulls. */
  parameters: Record<string, unknown>;
  warnings: string[];
}

/** Names that are set in another way or that cannot work here, and what to do instead. */
const reserved: Record<string, string> = {
  n: "use -n/--num-generations",
  prompt: "it comes from the dataset: use --prompt-column",
  inputs: "it comes from the dataset: use --prompt-column",
  model: "use --model",
  stream: "images are always taken whole",
  partial_images: "images are always taken whole",
};

/**
 * Checks parameters by the model's schemas, the only source of validation.
 * @param options.passThrough true at a custom base URL: a parameter that the model is not known to take goes through
 * with a warning. Known parameters must have valid values there too.
 * @throws UsageError that names the parameter, what was expected and what came
 */
export function parseParameters(
  card: ModelCard,
  raw: Record<string, unknown>,
  options: { passThrough: boolean },
): ParsedParameters {
  const parameters: Record<string, unknown> = {};
  const warnings: string[] = [];
  for (const [name, value] of Object.entries(raw)) {
    const instead = Object.hasOwn(reserved, name) ? reserved[name] : undefined;
    if (instead !== undefined)
      throw new UsageError(`\`${name}\` cannot be given as a parameter: ${instead}`);
    if (value === null || value === undefined) continue;
    const fault = describeUnknown(card, name);
    if (fault !== undefined && !options.passThrough) throw new UsageError(fault);
    if (fault !== undefined) warnings.push(`${fault.replace(/\?$/, "")}: sent as it is`);
    else checkValue(card, name, value);
    parameters[name] = value;
  }
  checkCombinations(parameters);
  return { parameters, warnings };
}

/** Why the model is not known to take a parameter; undefined where it does. */
function describeUnknown(card: ModelCard, name: string): string | undefined {
  const accepted = acceptedParameters(card);
  if (accepted.includes(name)) return undefined;
  if (Object.hasOwn(parameterSchemas(card), name)) {
    return `${card.id} takes no \`${name}\`; it takes ${accepted.join(", ")}`;
  }
  const near = didYouMean(name, accepted);
  return `unknown parameter \`${name}\`${near || ` for ${card.id}; it takes ${accepted.join(", ")}`}`;
}

function checkValue(card: ModelCard, name: string, value: unknown): void {
  const parsed = parameterSchemas(card)[name]!.safeParse(value);
  if (parsed.success) return;
  const issue = parsed.error.issues[0]!;
  const choices = issue.code === "invalid_value" ? issue.values.map(String) : [];
  const expected =
    choices.length > 0
      ? `expected ${choices.join(", ")}`
      : issue.message.replace("Invalid input: ", "");
  const near = typeof value === "string" ? didYouMean(value, choices) : "";
  throw new UsageError(
    `parameter \`${name}\` of ${card.id}: ${expected}; got ${JSON.stringify(value)}${near}`,
  );
}

/** Pairs that the API refuses, where both were given. */
function checkCombinations(parameters: Record<string, unknown>): void {
  const { background, output_compression: compression, output_format: format } = parameters;
  if (format === undefined) return;
  if (background === "transparent" && format !== "png" && format !== "webp") {
    throw new UsageError(
      `\`background\` transparent needs \`output_format\` png or webp; got ${JSON.stringify(format)}`,
    );
  }
  if (compression !== undefined && format !== "jpeg" && format !== "webp") {
    throw new UsageError(
      `\`output_compression\` needs \`output_format\` jpeg or webp; got ${JSON.stringify(format)}`,
    );
  }
}

/** A parameter for people: its name, what its values may be, what it does. */
export interface ParameterHelp {
  name: string;
  expected: string;
  description: string;
}

/** Every parameter that the model takes, from its schemas. */
export function describeParameters(card: ModelCard): ParameterHelp[] {
  const schemas = parameterSchemas(card);
  return acceptedParameters(card).map((name) => {
    const { type, enum: choices, minimum, maximum } = z.toJSONSchema(schemas[name]!);
    const range =
      minimum === undefined ? "" : ` from ${minimum}${isLimit(maximum) ? ` to ${maximum}` : ""}`;
    return {
      name,
      expected: choices ? choices.map(String).join(", ") : `${String(type ?? "value")}${range}`,
      description: schemas[name]!.description ?? "",
    };
  });
}

function isLimit(maximum: number | undefined): maximum is number {
  return maximum !== undefined && maximum < Number.MAX_SAFE_INTEGER;
}

/**
 * Turns the text of `--param name=text` into the type that the parameter's schema wants. An unknown parameter becomes a
 * number or a boolean where its text reads as one.
 * @throws UsageError where a number or a boolean is wanted and the text is none
 */
export function coerceParameter(card: ModelCard, name: string, text: string): unknown {
  const schemas = parameterSchemas(card);
  const schema = Object.hasOwn(schemas, name) ? schemas[name] : undefined;
  const type = schema ? z.toJSONSchema(schema).type : undefined;
  if (type === "string") return text;
  const isNumber = /^[+-]?(\d+(\.\d*)?|\.\d+)(e[+-]?\d+)?$/i.test(text.trim());
  if (isNumber) return Number(text);
  if (type === "number" || type === "integer") {
    const kind = type === "integer" ? "a whole number" : "a number";
    throw new UsageError(
      `parameter \`${name}\` of ${card.id}: expected ${kind}; got ${JSON.stringify(text)}`,
    );
  }
  return text === "true" ? true : text === "false" ? false : text;
}
