import { z } from "zod";
import { describeFault } from "./describe-fault.ts";
import { didYouMean } from "./near-match.ts";
import type { ModelParameters } from "./parameter-schemas.ts";
import { UsageError } from "./usage-error.ts";

/** What {@link parseParameters} makes of given parameters. */
export interface ParsedParameters {
  /** What was given, without nulls, and the schema's defaults. */
  parameters: Record<string, unknown>;
  warnings: string[];
}

/** Names that are set in another way or that cannot work here, and what to do instead. */
const reserved: Record<string, string> = {
  n: "use -n/--num-generations (in the library `numGenerations`)",
  prompt: "it comes from the dataset: use --prompt-column",
  inputs: "it comes from the dataset: use --prompt-column",
  model: "use --model",
  stream: "images are always taken whole",
  partial_images: "images are always taken whole",
};

/**
 * Checks parameters by the model's schema.
 * @param options.passThrough true at a custom base URL: a parameter that the model is not known to take goes through
 * with a warning. Known parameters must have valid values there too.
 * @throws UsageError that names the parameter, what was expected and what came
 */
export function parseParameters(
  model: ModelParameters,
  raw: Record<string, unknown>,
  options: { passThrough: boolean },
): ParsedParameters {
  const { shape } = model.parameters;
  const known: Record<string, unknown> = {};
  const others: Record<string, unknown> = {};
  const warnings: string[] = [];
  for (const [name, value] of Object.entries(raw)) {
    if (Object.hasOwn(shape, name)) {
      if (value !== null && value !== undefined) known[name] = value;
      continue;
    }
    if (Object.hasOwn(reserved, name))
      throw new UsageError(`\`${name}\` cannot be given as a parameter: ${reserved[name]}`);
    if (value === null || value === undefined) continue;
    if (!options.passThrough) throw new UsageError(describeUnknown(model, name));
    warnings.push(describePassed(model, name));
    others[name] = value;
  }
  return { parameters: { ...parseKnown(model, known), ...others }, warnings };
}

function describeUnknown({ modelName, parameters }: ModelParameters, name: string): string {
  const accepted = Object.keys(parameters.shape);
  const near = didYouMean(name, accepted);
  if (near) return `unknown parameter \`${name}\`${near}`;
  return `${modelName} takes no \`${name}\`; it takes ${accepted.join(", ") || "no parameters"}`;
}

/** At a server of one's own nobody knows better than the caller what it takes. */
function describePassed({ modelName, parameters }: ModelParameters, name: string): string {
  const near = didYouMean(name, Object.keys(parameters.shape));
  return `${modelName} is not known to take \`${name}\`, which is sent as it is${near}`;
}

function parseKnown(
  { modelName, parameters }: ModelParameters,
  known: Record<string, unknown>,
): Record<string, unknown> {
  const parsed = parameters.safeParse(known);
  if (parsed.success) return parsed.data;
  const { name, expected, got } = describeFault(parsed.error, known);
  if (!Object.hasOwn(known, name))
    throw new UsageError(`${modelName} needs the parameter \`${name}\`: ${expected}`);
  throw new UsageError(`parameter \`${name}\` of ${modelName}: ${expected}; got ${got}`);
}

/** A parameter for people: its name, what its values may be, what it does. */
export interface ParameterHelp {
  name: string;
  expected: string;
  description: string;
  /** What it is where it is not given; without it, the provider decides. */
  default?: unknown;
}

/** The parts of a JSON Schema that people are shown. */
const Described = z.looseObject({
  type: z.string().default("value"),
  enum: z.array(z.unknown()).optional(),
  minimum: z.number().optional(),
  maximum: z.number().optional(),
  description: z.string().default(""),
  default: z.unknown().optional(),
});
type Described = z.infer<typeof Described>;

/** The JSON Schema of what callers may give. */
export function parametersJsonSchema({ parameters }: ModelParameters): Record<string, unknown> {
  return z.toJSONSchema(parameters, { io: "input" });
}

/** Every parameter that the model takes, from its schema. */
export function describeParameters(model: ModelParameters): ParameterHelp[] {
  return Object.entries(propertiesOf(model)).map(([name, property]) => ({
    name,
    expected: describeValues(property),
    description: property.description,
    ...(property.default !== undefined && { default: property.default }),
  }));
}

function propertiesOf(model: ModelParameters): Record<string, Described> {
  const properties = z.record(z.string(), Described);
  return properties.parse(parametersJsonSchema(model)["properties"] ?? {});
}

function describeValues({ type, enum: choices, minimum, maximum }: Described): string {
  if (choices) return choices.map(String).join(", ");
  if (minimum === undefined) return type;
  const isLimited = maximum !== undefined && maximum < Number.MAX_SAFE_INTEGER;
  return `${type} from ${minimum}${isLimited ? ` to ${maximum}` : ""}`;
}

/**
 * Turns the text of `--param name=text` into the type that the parameter's schema wants. An unknown parameter becomes a
 * number or a boolean where its text reads as one.
 * @throws UsageError where a number or a boolean is wanted and the text is none
 */
export function coerceParameter(model: ModelParameters, name: string, text: string): unknown {
  const properties = propertiesOf(model);
  const type = Object.hasOwn(properties, name) ? properties[name]!.type : undefined;
  if (type === "string") return text;
  const isNumber = /^[+-]?(\d+(\.\d*)?|\.\d+)(e[+-]?\d+)?$/i.test(text.trim());
  if (isNumber) return Number(text);
  if (type === "number" || type === "integer") {
    const kind = type === "integer" ? "a whole number" : "a number";
    throw new UsageError(
      `parameter \`${name}\` of ${model.modelName}: expected ${kind}; got ${JSON.stringify(text)}`,
    );
  }
  return text === "true" ? true : text === "false" ? false : text;
}
