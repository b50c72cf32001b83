// `imagemill/models`: the gallery's models, without any queue.
export { ProviderError, type FailureKind, type ProviderErrorDetails } from "./shared/failure.ts";
export type { LaneLimits } from "./shared/lane-limits.ts";
export type { ParameterHelp } from "./shared/model-parameters.ts";
export { findModel, listModels, type ModelCard } from "./shared/model-registry.ts";
export type { Usage } from "./shared/result.ts";
export { UsageError } from "./shared/usage-error.ts";
export { InferenceEndpointsImageGeneration } from "./worker/providers/huggingface.ts";
export type { InferenceEndpointsOptions } from "./worker/providers/huggingface-options.ts";
export type {
  CallOptions,
  GenerateAllOptions,
  GeneratedImage,
  GenerateOptions,
  ImageGeneration,
} from "./worker/providers/image-generation.ts";
export { GenerationsFailed, type ImageGroup } from "./worker/providers/image-groups.ts";
export { AsyncImageGenerationModel, type LoadOptions } from "./worker/providers/image-model.ts";
export type { ProxySettings } from "./worker/providers/http.ts";
export type { AnsweredCall, InputOutcome } from "./worker/providers/input-outcome.ts";
export type { ModelDump } from "./worker/providers/model-options.ts";
export { OpenAIImageGeneration } from "./worker/providers/openai.ts";
export type { OpenAIOptions } from "./worker/providers/openai-options.ts";
export type { EndpointProgress } from "./worker/providers/wake-endpoint.ts";
export {
  ImagesApi,
  type ImagesApiOptions,
  type ImagesRequest,
} from "./worker/providers/images-api.ts";
export type { RefusalRule } from "./worker/providers/refusal.ts";
export type { AnsweredImage } from "./worker/providers/take-images.ts";
