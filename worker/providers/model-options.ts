import { z } from "zod";
import { describeFault } from "../../shared/describe-fault.ts";
import type { Environment } from "../../shared/find-key.ts";
import { didYouMean } from "../../shared/near-match.ts";
import { UsageError } from "../../shared/usage-error.ts";
import { requireObject } from "./check-options.ts";

/** A model as plain data: its class and its options, without secrets. */
export interface ModelDump {
  /** The name of the class. */
  type: string;
  [option: string]: unknown;
}

/** An option that stays in the process: a key, a function. It is not dumped, and no message shows its value. */
export function kept<Schema extends z.ZodType>(schema: Schema): Schema {
  return schema.meta({ isKept: true });
}

function isKept(schema: z.core.$ZodType | undefined): boolean {
  return schema !== undefined && z.globalRegistry.get(schema)?.["isKept"] === true;
}

/** An http or https URL. Kept out of messages, since it may hold a password. */
export const HttpUrl = z.string().refine((text) => {
  return URL.canParse(text) && /^https?:$/.test(new URL(text).protocol);
}, "expected an http or https URL");

/** A key as it stands in a header; a line end of the file that it came from is no part of it. */
export const HeaderKey = z
  .string()
  .trim()
  .regex(/^[\x21-\x7e]*$/, "expected a key without spaces and without characters beyond ASCII");

/** Headers that can be sent. */
export const HeaderFields = z
  .record(z.string(), z.string())
  .refine(
    (headers) =>
      Object.entries(headers).every(
        ([name, value]) => /^[\w!#$%&'*+.^`|~-]+$/.test(name) && /^[\t\x20-\x7e]*$/.test(value),
      ),
    "expected names without spaces, and values of one line of ASCII",
  );

/** The longest time that a timer of Node's can wait, with room for what is added to it. */
export const maxTimerMs = 2_000_000_000;

/**
 * The base URL that a variable holds, if any.
 * @throws UsageError where it holds several, as the command line takes them
 */
export function findBaseUrl(env: Environment, variable: string): string | undefined {
  const urls = (env[variable] ?? "").split(",").map((url) => url.trim());
  if (urls.length > 1 && urls.every((url) => HttpUrl.safeParse(url).success)) {
    throw new UsageError(
      `${variable} holds ${urls.length} base URLs, and a model asks one server: give \`baseUrl\``,
    );
  }
  return env[variable]?.trim() || undefined;
}

/** A function that is called, such as `fetch`. */
export function functionOption<Type>() {
  return z.custom<Type>((value) => typeof value === "function", "expected a function");
}

/**
 * Checks a model's options by their schema, and fills in its defaults.
 * @throws UsageError that names the option and its near match, what was expected and what came
 */
export function parseOptions<Schema extends z.ZodObject>(
  model: string,
  schema: Schema,
  options: object,
): z.output<Schema> {
  requireObject(`the options of ${model}`, options);
  const known = Object.keys(schema.shape);
  for (const name of Object.keys(options)) {
    if (known.includes(name)) continue;
    const near = didYouMean(name, known) || `; it takes ${known.join(", ")}`;
    throw new UsageError(`${model} has no option \`${name}\`${near}`);
  }
  const parsed = schema.safeParse(options);
  if (parsed.success) return parsed.data;
  const { name, expected, got } = describeFault(parsed.error, { ...options });
  const shown = isKept(schema.shape[name]) ? "" : `; got ${got}`;
  throw new UsageError(`option \`${name}\` of ${model}: ${expected}${shown}`);
}

/** The options that may leave the process. User, password and query of a URL are left out: they may be secrets. */
export function dumpOptions(schema: z.ZodObject, options: Record<string, unknown>) {
  const entries = Object.entries(options).filter(
    ([name, value]) => value !== undefined && !isKept(schema.shape[name]),
  );
  return Object.fromEntries(
    entries.map(([name, value]) => [
      name,
      name === "baseUrl" ? withoutCredentials(String(value)) : value,
    ]),
  );
}

function withoutCredentials(url: string): string {
  return url.replace(/^(https?:\/\/)[^/?#@]*@/i, "$1").replace(/[?#].*$/, "");
}
