import { readFile } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { z } from "zod";
import type { BuiltInProvider, OwnProvider } from "../library/provider.ts";
import { hasCode, messageOf } from "../shared/caught.ts";
import { ImageHost } from "../shared/image-host.ts";
import { mostPerMinute } from "./numbers.ts";
import { LaneLimits } from "../shared/lane-limits.ts";
import { didYouMean } from "../shared/near-match.ts";
import { ProviderKind } from "../shared/profile.ts";
import { UsageError } from "../shared/usage-error.ts";

/** Looked for in the working directory, in this order. */
const configNames = ["imagemill.config.ts", "imagemill.config.js", "imagemill.config.json"];

const HttpUrl = z
  .string()
  .refine(
    (url) => URL.canParse(url) && /^https?:$/.test(new URL(url).protocol),
    "expected a URL with http:// or https://",
  );

/** Providers that need no configuration. */
export const builtInNames = ["openai", "huggingface", "simulator"] as const;
const reservedNames: ReadonlySet<string> = new Set(builtInNames);

/** Paces that all runs of a profile keep together. */
const Limited = z.object({
  limits: LaneLimits.strict()
    .refine(
      (limits) => Object.values(limits).every((limit = 0) => limit <= mostPerMinute),
      "expected at most 1e9 a minute",
    )
    .optional(),
});

/** A further profile of a built-in kind. */
const BuiltIn = z.strictObject({
  kind: ProviderKind,
  /** One server, or several as one lane. Default: the provider's public host. */
  baseUrl: z.union([HttpUrl, z.array(HttpUrl).min(1)]).optional(),
  /** The environment variable that holds the key; with `_FILE` behind it, one that names a file. */
  keyVariable: z
    .string()
    .regex(
      /^[A-Z_][A-Z0-9_]*$/,
      "expected the name of a variable, such as MY_API_KEY, and not the key",
    )
    .optional(),
  /** Hosts that images at URLs may come from though they are private or speak plain http. */
  imageHosts: z.array(ImageHost).optional(),
  ...Limited.shape,
});
type BuiltIn = z.infer<typeof BuiltIn>;

/** A provider of one's own, in a file beside the configuration; limits here go before its own. */
const Module = z.strictObject({ module: z.string().min(1), ...Limited.shape });

const Own = z.custom<Omit<OwnProvider, "name">>(
  (value) => z.looseObject({ createModel: z.function() }).safeParse(value).success,
);

const Name = z
  .string()
  .regex(/^[\w.-]{1,60}$/, "expected 1 to 60 letters, digits, `.`, `_` or `-`");

const Config = z.strictObject({ profiles: z.record(Name, z.looseObject({})) });

/** What a configuration says of a profile: settings of a built-in kind, or a provider of one's own. */
export type ConfiguredProfile =
  | { own: OwnProvider }
  | { builtIn: Omit<BuiltInProvider, "apiKey" | "readKey"> & { name: string } };

/** A configuration that was read. */
export interface FoundConfig {
  path: string;
  profiles: Map<string, ConfiguredProfile>;
}

/**
 * Reads `imagemill.config.{ts,js,json}` of a folder, or the file that `path` names; undefined where there is none.
 * @throws UsageError that names the file, the profile, what was expected and what came; never showing what may be a key
 */
export async function readConfig(
  folder: string,
  path: string | undefined,
): Promise<FoundConfig | undefined> {
  const candidates = path === undefined ? configNames : [path];
  for (const candidate of candidates.map((name) => resolve(folder, name))) {
    const value = await load(candidate);
    if (value !== undefined) return await parse(value, candidate);
  }
  if (path === undefined) return undefined;
  throw new UsageError(`there is no configuration at ${resolve(folder, path)}`);
}

/** The value of a file: its JSON, or what its module exports as default; undefined where there is no file. */
async function load(path: string): Promise<unknown> {
  let text: string;
  try {
    text = await readFile(path, "utf8");
  } catch (error) {
    if (hasCode(error, "ENOENT")) return undefined;
    throw new UsageError(`cannot read ${path}: ${messageOf(error)}`, { cause: error });
  }
  try {
    if (path.endsWith(".json")) return JSON.parse(text);
    const loaded: { default?: unknown } = await import(pathToFileURL(path).href);
    return loaded.default ?? null;
  } catch (error) {
    throw new UsageError(`cannot load ${path}: ${messageOf(error)}`, { cause: error });
  }
}

async function parse(value: unknown, path: string): Promise<FoundConfig> {
  const config = Config.safeParse(value);
  if (!config.success) {
    const issue = config.error.issues[0]!;
    const where = issue.path.length > 0 ? `\`${issue.path.join(".")}\`` : "the configuration";
    throw new UsageError(
      `${path}: ${where}: ${issue.message}; expected { profiles: { NAME: { kind, baseUrl, keyVariable } } }`,
    );
  }
  const profiles = new Map<string, ConfiguredProfile>();
  for (const [name, entry] of Object.entries(config.data.profiles)) {
    if (reservedNames.has(name))
      throw new UsageError(
        `${path}: \`${name}\` is a provider that is built in: choose another name`,
      );
    profiles.set(name, await parseProfile(name, entry, path));
  }
  return { path, profiles };
}

async function parseProfile(name: string, entry: object, path: string): Promise<ConfiguredProfile> {
  const where = `${path}: profile \`${name}\``;
  const own = Own.safeParse(entry);
  if (own.success) return { own: ownOf(name, own.data, where) };
  refuseKeys(entry, where);
  if (!("module" in entry)) return { builtIn: settingsOf(name, parsed(BuiltIn, entry, where)) };
  const { module, limits } = parsed(Module, entry, where);
  const file = resolve(dirname(path), module);
  return { own: await loadModule(name, file, limits, where) };
}

/** @throws UsageError that names the setting, what was expected and what may have been meant */
function parsed<Shape extends z.ZodRawShape>(
  schema: z.ZodObject<Shape>,
  entry: object,
  where: string,
): z.infer<z.ZodObject<Shape>> {
  const { data, error } = schema.safeParse(entry);
  if (error) throw new UsageError(`${where}: ${describe(error, entry, Object.keys(schema.shape))}`);
  return data;
}

function settingsOf(name: string, { kind, baseUrl, keyVariable, imageHosts, limits }: BuiltIn) {
  const [first, ...moreBaseUrls] = [baseUrl ?? []].flat();
  return {
    name,
    kind,
    baseUrl: first,
    moreBaseUrls,
    imageHosts,
    ...(limits && { limits }),
    ...(keyVariable && { keyVariable }),
  };
}

/** The object itself may need its `this`. */
function ownOf(
  name: string,
  own: Omit<OwnProvider, "name">,
  where: string,
  limits = parsed(Limited, own, where).limits,
): OwnProvider {
  const { kind, identity } = own;
  return {
    name,
    ...(kind !== undefined && { kind }),
    ...(identity !== undefined && { identity }),
    ...(limits && { limits }),
    createModel: (model, options) => own.createModel(model, options),
  };
}

async function loadModule(
  name: string,
  file: string,
  limits: LaneLimits | undefined,
  where: string,
): Promise<OwnProvider> {
  const value = await load(file);
  if (value === undefined) throw new UsageError(`${where}: there is no module ${file}`);
  const own = Own.safeParse(value);
  if (own.success) return ownOf(name, own.data, where, limits);
  throw new UsageError(
    `${where}: expected ${file} to export an object with createModel(model, options) as its default`,
  );
}

/** A key in a file ends up in a repository. Its value is never shown. */
function refuseKeys(entry: object, where: string): void {
  for (const [field, value] of Object.entries(entry)) {
    const isKeyField = /^(api_?key|key|token|access_?token|secret|password)$/i.test(field);
    const isKey = typeof value === "string" && /^(sk|hf|gsk|xai|r8)[-_]/.test(value);
    if (isKeyField || isKey)
      throw new UsageError(
        `${where}: \`${field}\` holds what may be a key, and keys stay out of files: put it into an environment variable and name that, as in keyVariable: "MY_API_KEY"`,
      );
  }
}

function describe(error: z.ZodError, entry: object, settings: readonly string[]): string {
  const issue = error.issues[0]!;
  if (issue.code === "unrecognized_keys") {
    const [inside] = issue.path;
    const known = inside === "limits" ? Object.keys(LaneLimits.shape) : settings;
    const word = issue.keys[0]!;
    const where = inside === undefined ? "" : `\`${String(inside)}\`: `;
    return `${where}unknown setting \`${word}\`${didYouMean(word, known) || `; it takes ${known.join(", ")}`}`;
  }
  const field = String(issue.path[0] ?? "kind");
  const missing =
    field in entry
      ? ""
      : " (it is missing; a provider of your own has createModel or module instead)";
  const expected =
    issue.code === "invalid_value" ? `expected ${issue.values.join(" or ")}` : issue.message;
  return `\`${field}\`: ${expected.replace("Invalid input: ", "")}${missing}`;
}
