import { unknownName } from "../../shared/near-match.ts";
import { type Profile, ProviderKind } from "../../shared/profile.ts";
import type { Fetch } from "./fetch-adapter.ts";
import { InferenceEndpointsImageGeneration } from "./huggingface.ts";
import type { ProxySettings } from "./http.ts";
import { UsageError } from "../../shared/usage-error.ts";
import type { AsyncImageGenerationModel } from "./image-model.ts";
import { OpenAIImageGeneration } from "./openai.ts";

/** What every kind of model can be given. */
export interface CreateModelOptions {
  /** Longest call in milliseconds. */
  timeoutMs: number;
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
) => AsyncImageGenerationModel;

const makers: Record<ProviderKind, Maker> = {
  openai: ({ baseUrl, apiKey, imageHosts }, model, options) =>
    new OpenAIImageGeneration({ model, baseUrl, apiKey, imageHosts, ...options }),
  huggingface: ({ baseUrl, apiKey, imageHosts }, modelId, options) =>
    new InferenceEndpointsImageGeneration({ modelId, baseUrl, apiKey, imageHosts, ...options }),
};

/**
 * The model of a profile: its kind decides the class.
 * @throws UsageError where the kind is not built in or the profile's base URL is none
 */
export function createModel(
  profile: Profile,
  model: string,
  options: CreateModelOptions,
): AsyncImageGenerationModel {
  const kind = ProviderKind.safeParse(profile.kind).data;
  if (!kind) throw new UsageError(unknownName("provider kind", profile.kind, ProviderKind.options));
  return makers[kind](profile, model, options);
}
