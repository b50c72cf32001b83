import { unknownName } from "../../shared/near-match.ts";
import { type Profile, ProviderKind } from "../../shared/profile.ts";
import type { Fetch } from "./fetch-adapter.ts";
import type { ProxySettings } from "./http.ts";
import { UsageError } from "../../shared/usage-error.ts";
import type { AsyncImageGenerationModel } from "./image-model.ts";

/** What every kind of model can be given. */
export interface CreateModelOptions {
  /** Longest call in milliseconds. */
  timeoutMs: number;
  /** Images that one call may ask for, where the API takes a number. Default: as many as the model is known to make. */
  maxGenerationsPerCall?: number;
  /** Largest image in bytes. Default 64 MB. */
  maxImageBytes?: number;
  proxy?: ProxySettings;
  /** Used instead of the built-in client. */
  fetch?: Fetch;
}

type Maker = (
  profile: Profile,
  model: string,
  options: CreateModelOptions,
) => Promise<AsyncImageGenerationModel>;

/** A kind's files are loaded with its first model. */
const makers: Record<ProviderKind, Maker> = {
  openai: async ({ baseUrl, apiKey, imageHosts }, model, options) => {
    const { OpenAIImageGeneration } = await import("./openai.ts");
    return new OpenAIImageGeneration({ model, baseUrl, apiKey, imageHosts, ...options });
  },
  huggingface: async ({ baseUrl, apiKey, imageHosts }, modelId, asked) => {
    const { maxGenerationsPerCall: _, ...options } = asked;
    const { InferenceEndpointsImageGeneration } = await import("./huggingface.ts");
    return new InferenceEndpointsImageGeneration({
      modelId,
      baseUrl,
      apiKey,
      imageHosts,
      ...options,
    });
  },
};

/**
 * The model of a profile: its kind decides the class.
 * @throws UsageError where the kind is not built in or the profile's base URL is none
 */
export async function createModel(
  profile: Profile,
  model: string,
  options: CreateModelOptions,
): Promise<AsyncImageGenerationModel> {
  const kind = ProviderKind.safeParse(profile.kind).data;
  if (!kind) throw new UsageError(unknownName("provider kind", profile.kind, ProviderKind.options));
  return await makers[kind](profile, model, options);
}
