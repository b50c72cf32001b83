import { z } from "zod";
import { CommonOptions } from "./common-options.ts";
import { HttpUrl } from "./model-options.ts";

/** Options of `OpenAIImageGeneration`. */
export const OpenAIOptions = z.object({
  model: z.string().min(1).describe("Such as gpt-image-2"),
  baseUrl: HttpUrl.optional().describe(
    "A server that speaks OpenAI's API, its version path included; it needs no key. Default: OpenAI's own",
  ),
  maxGenerationsPerCall: z
    .int()
    .min(1)
    .optional()
    .describe("Images that one call may ask for. Default: what the model is known to make, else 1"),
  ...CommonOptions,
});
/** What `OpenAIImageGeneration` is made of. */
export type OpenAIOptions = z.input<typeof OpenAIOptions>;
