import { findModel, inferProviderKind } from "../shared/model-registry.ts";
import { unknownName } from "../shared/near-match.ts";
import { isPublicHost, type Profile } from "../shared/profile.ts";
import { UsageError } from "../shared/usage-error.ts";
import { findKey } from "./find-key.ts";

/** The model of each provider where none is named. */
const defaultModels: Record<string, string> = {
  openai: "gpt-image-2",
  huggingface: "black-forest-labs/FLUX.1-schnell",
  simulator: "imagemill-sim-1",
};
/** What the simulator's profile is hashed by, since its port differs each time. */
const simulatorIdentity = "imagemill:simulator";

/** The provider and model of a run, where only one of them, or none, is named. */
export function providerAndModel(
  provider: string | undefined,
  model: string | undefined,
): [string, string] {
  if (provider === undefined && model === undefined) {
    throw new UsageError(
      "expected --model or --provider, got neither: try `--model gpt-image-2` or `--provider simulator`",
    );
  }
  const name = provider ?? inferProvider(model!);
  const known = Object.keys(defaultModels);
  if (!known.includes(name)) {
    throw new UsageError(unknownName("provider", name, known));
  }
  return [name, model ?? defaultModels[name]!];
}

function inferProvider(model: string): string {
  if (model.startsWith("imagemill-sim")) return "simulator";
  const kind = inferProviderKind(model);
  if (kind !== undefined) return kind;
  throw new UsageError(
    `cannot tell the provider of model \`${model}\`: give --provider openai or huggingface`,
  );
}

/** @throws UsageError where a base URL is none, or a key cannot stand in a header */
function checked(profile: Profile): Profile {
  const { baseUrl, apiKey, keyVariable, name } = profile;
  if (baseUrl !== undefined && !/^https?:$/.test(protocolOf(baseUrl))) {
    throw new UsageError(
      `expected the base URL of ${name} to begin with http:// or https://, got \`${baseUrl}\``,
    );
  }
  if (apiKey !== undefined && !/^[\x21-\x7e]+$/.test(apiKey)) {
    throw new UsageError(
      `the key in ${keyVariable} holds a space, a line break or another character that no key has`,
    );
  }
  return profile;
}

function protocolOf(url: string): string {
  return URL.canParse(url) ? new URL(url).protocol : "";
}

/** The profile of a provider, from the environment. @throws UsageError where a key file cannot be read */
export function profileOf(
  name: string,
  env: NodeJS.ProcessEnv,
  baseUrl: string | undefined,
): Profile {
  if (name === "simulator") {
    return checked({
      name,
      kind: "openai",
      baseUrl,
      keyVariable: "OPENAI_API_KEY",
      identity: simulatorIdentity,
    });
  }
  if (name === "huggingface") {
    const apiKey = findKey(env, "HF_TOKEN")?.key;
    return checked({
      name,
      kind: "huggingface",
      baseUrl: baseUrl ?? (env["HF_BASE_URL"] || undefined),
      apiKey,
      keyVariable: "HF_TOKEN",
    });
  }
  const apiKey = findKey(env, "OPENAI_API_KEY")?.key;
  return checked({
    name,
    kind: "openai",
    baseUrl: baseUrl ?? (env["OPENAI_BASE_URL"] || undefined),
    apiKey,
    keyVariable: "OPENAI_API_KEY",
  });
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
