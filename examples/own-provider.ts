// A provider of one's own: a stable-diffusion-webui server (`--api`). The class says what its parameters are and how one
// call is made; loops, grouping, retries, validation, help and JSON Schema come with the base class. In a project of yours
// the import is "imagemill/models".
import { z } from "zod";
import { AsyncImageGenerationModel, type CallOptions, ImagesApi } from "../models.ts";

const Parameters = z.object({
  negative_prompt: z.string().optional().describe("What the image should not show"),
  width: z.int().min(64).max(2048).default(512).describe("Width in pixels"),
  height: z.int().min(64).max(2048).default(512).describe("Height in pixels"),
  steps: z.int().min(1).max(150).default(20).describe("Denoising steps"),
  cfg_scale: z.number().min(0).default(7).describe("How closely the image follows the prompt"),
  sampler_name: z.string().default("Euler a").describe("Which sampler takes the steps"),
  seed: z.int().min(0).optional().describe("Seed of the first image; the others count up"),
});

/** Its images in base64, and how they were made as JSON in a string. */
const Answer = z.object({
  images: z.array(z.string()),
  info: z
    .string()
    .transform((text): unknown => JSON.parse(text))
    .pipe(z.object({ all_seeds: z.array(z.int()) })),
});

/** Makes images with a stable-diffusion-webui server. */
export class WebuiImageGeneration extends AsyncImageGenerationModel<typeof Parameters> {
  override readonly modelName = "stable-diffusion-webui";
  override readonly maxGenerationsPerCall = 8;
  readonly parameters = Parameters;
  readonly #api: ImagesApi;

  constructor(options: { baseUrl: string; apiKey?: string; timeoutMs?: number }) {
    super();
    this.#api = new ImagesApi(options);
  }

  override agenerate(prompt: string, call: CallOptions<z.output<typeof Parameters>>) {
    const { numGenerations, seed = -1, parameters, signal, memory } = call;
    return this.#api.post({
      path: "/sdapi/v1/txt2img",
      body: { ...parameters, prompt, seed, batch_size: numGenerations },
      answer: Answer,
      images: ({ images, info }) =>
        images.map((base64, i) => ({ base64, seed: info.all_seeds[i] ?? seed })),
      signal,
      memory,
    });
  }

  override unload() {
    return this.#api.close();
  }
}
