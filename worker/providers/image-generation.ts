import type { AnswerShare } from "../answer-memory.ts";
import type { LaneLimits } from "../../shared/lane-limits.ts";
import type { Usage } from "../../shared/result.ts";

/** One image as the provider gave it, whole and of a known format. */
export interface GeneratedImage {
  bytes: Uint8Array;
  /** The seed that makes this image again, where the model takes seeds. */
  seed?: number;
  revisedPrompt?: string;
}

/** What one call came to. */
export interface ImageGeneration {
  /** At most as many as asked for. Fewer where the provider sent fewer, or where some were no whole images. */
  images: GeneratedImage[];
  /** How many images the answer held and the provider charges for, where these are not the images above. */
  imagesAnswered?: number;
  usage?: Usage;
  /** Limits that the provider told with it. */
  limits?: LaneLimits;
  /** The provider's id of the request. */
  requestId?: string;
  warnings?: string[];
}

/** How images are made. */
export interface GenerateOptions<Parameters = Record<string, unknown>> {
  /** Images per input. Default 1. */
  numGenerations?: number;
  /** Where the model takes seeds. Images of one input get different ones: this, then this + 1, … */
  seed?: number;
  /** The model's own parameters. Only what is given, and the defaults of the model's schema, is sent. */
  parameters?: Parameters;
  /** Aborting rejects with its reason. */
  signal?: AbortSignal;
  /** Where the answer finds room before it is read; whoever gave it releases it when it has no more use for the images. */
  memory?: AnswerShare;
}

/** One call, checked: what a model's `agenerate` gets. */
export interface CallOptions<Parameters = Record<string, unknown>> {
  /** From 1 to the model's `maxGenerationsPerCall`. */
  numGenerations: number;
  /** Of the first image; only where the model takes seeds. */
  seed?: number;
  /** By the model's schema, its defaults included. */
  parameters: Parameters;
  signal?: AbortSignal;
  memory?: AnswerShare;
}

/** How a list of inputs is made into images. */
export interface GenerateAllOptions<
  Parameters = Record<string, unknown>,
> extends GenerateOptions<Parameters> {
  /** Calls at the same time. Default 10. */
  concurrency?: number;
  /** Is told each warning once, and of each failure after which a call is tried again. */
  onWarning?: (warning: string) => void;
}
