import { ProviderError } from "../../shared/failure.ts";
import type { Usage } from "../../shared/result.ts";
import { UsageError } from "../../shared/usage-error.ts";
import { generateAll, type ImageGroup } from "./generate-all.ts";
import { requireWhole } from "./known-options.ts";

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
  usage?: Usage;
  /** The provider's id of the request. */
  requestId?: string;
  warnings?: string[];
}

/** How images are made. */
export interface GenerateOptions {
  /** Images per input. Default 1. */
  numGenerations?: number;
  /** Where the model takes seeds. Images of one input get different ones: this, then this + 1, … */
  seed?: number;
  /** The model's own parameters. Only what is given is sent. */
  parameters?: Record<string, unknown>;
  /** Aborting rejects with its reason. */
  signal?: AbortSignal;
}

/** How a list of inputs is made into images. */
export interface GenerateAllOptions extends GenerateOptions {
  /** Calls at the same time. Default 10. */
  concurrency?: number;
}

/** A model that makes images from text through somebody's API. */
export abstract class AsyncImageGenerationModel implements AsyncDisposable {
  abstract readonly modelName: string;
  /** Images that one call can make; 1 where the provider ignores or refuses a number. */
  abstract readonly maxGenerationsPerCall: number;

  /**
   * Makes images by exactly one provider call; images at URLs are fetched as well.
   * @throws ProviderError for anything that goes wrong, or the signal's reason
   */
  abstract agenerate(input: string, options?: GenerateOptions): Promise<ImageGeneration>;

  /** Gets the model ready: checks what can be checked without a call. `agenerate` does it by itself when needed. */
  async load(): Promise<void> {}

  /** Closes connections. Calls that are under way fail. */
  async unload(): Promise<void> {}

  async [Symbol.asyncDispose](): Promise<void> {
    await this.unload();
  }

  /**
   * Makes `numGenerations` images for each input, in the inputs' order. A model that can make several images in a call gives
   * one group per input, `[[{ images: [a0, a1] }], …]`; another one group per image, `[[{ images: [a] }, { images: [a] }], …]`.
   * Images are base64.
   * @throws UsageError for wrong arguments
   * @throws GenerationsFailed when all other inputs are done, with their images
   */
  async generate(
    inputs: readonly string[],
    options: GenerateAllOptions = {},
  ): Promise<ImageGroup[][]> {
    if (!Array.isArray(inputs) || inputs.some((input) => typeof input !== "string")) {
      throw new UsageError(
        `Expected \`inputs\` to be an array of strings, got ${typeof inputs}: put one prompt in []`,
      );
    }
    requireWhole("numGenerations", options.numGenerations ?? 1, 1);
    requireWhole("concurrency", options.concurrency ?? 10, 1);
    await this.load();
    return await generateAll(this, inputs, options);
  }

  /** For subclasses: the number of images asked for. @throws ProviderError where one call cannot make them */
  protected countGenerations({ numGenerations = 1 }: GenerateOptions): number {
    const most = this.maxGenerationsPerCall;
    if (Number.isInteger(numGenerations) && numGenerations >= 1 && numGenerations <= most)
      return numGenerations;
    const message = `${this.modelName} makes 1 to ${most} images in a call, ${String(numGenerations)} were asked for`;
    throw new ProviderError(
      "invalid_request",
      `${message}: generate() makes as many calls as are needed`,
      { sent: false },
    );
  }
}
