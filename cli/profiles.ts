import { profileOf as profileOfProvider } from "../library/provider.ts";
import { ImageHost } from "../shared/image-host.ts";
import { findModel, inferProviderKind, listModels } from "../shared/model-registry.ts";
import { didYouMean, unknownName } from "../shared/near-match.ts";
import { isPublicHost, type Profile } from "../shared/profile.ts";
import { UsageError } from "../shared/usage-error.ts";
import { findKey } from "../shared/find-key.ts";
import type { WorkerProfile } from "../worker/run-contexts.ts";
import type { builtInNames, ConfiguredProfile, FoundConfig } from "./config.ts";
import { splitList } from "./list-option.ts";

/** The model of each provider where none is named. */
const defaultModels: Record<string, string> = {
  openai: "gpt-image-2",
  huggingface: "black-forest-labs/FLUX.1-schnell",
  simulator: "imagemill-sim-1",
} satisfies Record<(typeof builtInNames)[number], string>;

/** Whether a provider needs no configuration. */
export function isBuiltIn(name: string): boolean {
  return Object.hasOwn(defaultModels, name);
}

/** What the built-in simulator's profile is hashed by, since its port differs each time. */
const simulatorIdentity = "imagemill:simulator";

/** The provider and model of a run, where only one of them, or none, is named. */
export function providerAndModel(
  provider: string | undefined,
  model: string | undefined,
  config: FoundConfig | undefined,
): [string, string] {
  if (provider === undefined && model === undefined) {
    throw new UsageError(
      "expected --model or --provider, got neither: try `--model gpt-image-2` or `--provider simulator`",
    );
  }
  const name = provider ?? inferProvider(model!);
  const known = [...Object.keys(defaultModels), ...(config?.profiles.keys() ?? [])];
  if (!known.includes(name)) {
    throw new UsageError(unknownName("provider", name, known));
  }
  const chosen = model ?? defaultModels[name];
  if (chosen !== undefined) return [name, chosen];
  throw new UsageError(`expected --model with --provider ${name} of ${config!.path}`);
}

function inferProvider(model: string): string {
  if (model.startsWith("imagemill-sim")) return "simulator";
  const kind = inferProviderKind(model);
  if (kind !== undefined) return kind;
  const near = didYouMean(
    model,
    listModels().map(({ id }) => id),
  );
  throw new UsageError(
    `cannot tell the provider of model \`${model}\`${near || ":"} ` +
      `${near ? "If not, give" : "give"} --provider openai or huggingface`,
  );
}

/** What of a profile the command line can say, before the environment. */
export interface GivenHosts {
  baseUrl?: readonly string[] | undefined;
  imageHosts?: readonly string[] | undefined;
}

/** Where the environment says how a provider is reached. */
const variables = {
  openai: { kind: "openai", keyVariable: "OPENAI_API_KEY", urlVariable: "OPENAI_BASE_URL" },
  huggingface: { kind: "huggingface", keyVariable: "HF_TOKEN", urlVariable: "HF_BASE_URL" },
} as const;

/**
 * The profile of a provider, from the configuration or, where that does not name it, from the environment.
 * @throws UsageError where a base URL or an image host is none, a key file cannot be read or a key cannot stand in a header
 */
export function profileOf(
  name: string,
  env: NodeJS.ProcessEnv,
  hosts: GivenHosts = {},
  config?: FoundConfig,
): WorkerProfile {
  for (const host of hosts.imageHosts ?? []) requireImageHost(host);
  const configured = config?.profiles.get(name);
  if (configured) return configuredProfile(name, configured, env, hosts);
  const { baseUrl: given = [], imageHosts = [] } = hosts;
  const { kind, keyVariable, urlVariable } =
    name === "huggingface" ? variables.huggingface : variables.openai;
  const isSimulator = name === "simulator";
  const baseUrls = given.length > 0 || isSimulator ? given : splitList(env[urlVariable] ?? "");
  for (const [place, url] of baseUrls.entries()) requireBaseUrl(name, url, place);
  const [baseUrl, ...moreBaseUrls] = baseUrls;
  const profile: Profile = { name, kind, baseUrl, moreBaseUrls, imageHosts, keyVariable };
  if (isSimulator)
    return baseUrl === undefined ? { ...profile, identity: simulatorIdentity } : profile;
  return withKey(profile, env);
}

/** A profile of the configuration; hosts that the command line gives go before its own. */
function configuredProfile(
  name: string,
  configured: ConfiguredProfile,
  env: NodeJS.ProcessEnv,
  { baseUrl: given = [], imageHosts = [] }: GivenHosts,
): WorkerProfile {
  if ("own" in configured) {
    if (given.length > 0)
      throw new UsageError(`${name} is a provider of your own, which takes no --base-url`);
    return profileOfProvider(configured.own);
  }
  const { keyVariable, ...settings } = configured.builtIn;
  for (const [place, url] of given.entries()) requireBaseUrl(name, url, place);
  const [baseUrl = settings.baseUrl, ...more] = given;
  const hosts = {
    ...settings,
    baseUrl,
    moreBaseUrls: given.length > 0 ? more : settings.moreBaseUrls,
    imageHosts: [...(settings.imageHosts ?? []), ...imageHosts],
  };
  if (keyVariable !== undefined) return withKey({ ...hosts, keyVariable }, env);
  const own = settings.kind === "huggingface" ? variables.huggingface : variables.openai;
  // The key of the provider itself is not for somebody else's server.
  const profile = { ...hosts, keyVariable: own.keyVariable };
  return baseUrl === undefined ? withKey(profile, env) : profile;
}

/** @throws UsageError where a key file cannot be read or a key cannot stand in a header */
function withKey(profile: Profile, env: NodeJS.ProcessEnv): Profile {
  const { keyVariable } = profile;
  const apiKey = findKey(env, keyVariable)?.key;
  if (apiKey !== undefined && !isHeaderText(apiKey)) {
    throw new UsageError(
      `the key in ${keyVariable} holds a space, a line break or another character that no key has`,
    );
  }
  return { ...profile, apiKey, readKey: () => readAgain(env, keyVariable) };
}

function requireBaseUrl(name: string, url: string, place: number): void {
  if (URL.canParse(url) && /^https?:$/.test(new URL(url).protocol)) return;
  // It may hold a password: it is not shown.
  const which = place === 0 ? "the base URL" : `base URL ${place + 1}`;
  throw new UsageError(`expected ${which} of ${name} to be a URL with http:// or https://`);
}

function requireImageHost(host: string): void {
  const { error } = ImageHost.safeParse(host);
  if (error) throw new UsageError(`--image-hosts: ${error.issues[0]!.message}; got \`${host}\``);
}

function isHeaderText(key: string): boolean {
  return /^[\x21-\x7e]+$/.test(key);
}

/** A key file may be half written at this moment, or gone: then the next look finds it. */
function readAgain(env: NodeJS.ProcessEnv, variable: string): string | undefined {
  try {
    const key = findKey(env, variable)?.key;
    return key !== undefined && isHeaderText(key) ? key : undefined;
  } catch (error) {
    if (error instanceof UsageError) return undefined;
    throw error;
  }
}

/** @throws UsageError where the provider's public host would be asked without a key, or for a model that it shut down */
export function requireUsable(profile: Profile, model: string, today: string): void {
  requireServed(profile, model, today);
  if (!isPublicHost(profile) || profile.apiKey !== undefined) return;
  throw new UsageError(
    `${profile.name} needs a key: set ${profile.keyVariable} (or ${profile.keyVariable}_FILE), ` +
      "or try everything without one by --provider simulator",
  );
}

/** @throws UsageError where the provider's public host has shut the model down; `today` is YYYY-MM-DD */
export function requireServed(profile: Profile, model: string, today: string): void {
  const { shutdownOn } = findModel(profile.kind, model);
  if (!isPublicHost(profile) || shutdownOn === undefined || shutdownOn > today) return;
  throw new UsageError(
    `${model} was shut down by ${profile.name} on ${shutdownOn}: choose another --model ` +
      "(a server of yours that still has it is reached by --base-url)",
  );
}
