import { z } from "zod";
import type { ModelCard } from "./model-registry.ts";

/** What a model takes: one schema of all its parameters, the only source of validation, types, defaults and descriptions. */
export interface ModelParameters {
  readonly modelName: string;
  readonly parameters: z.ZodObject;
}

/**
 * Any size that gpt-image-2 makes: multiples of 16, at most 3:1, at most as long and as many pixels as 3840x2160.
 * https://developers.openai.com/api/docs/guides/image-generation
 */
function isFreeSize(size: string): boolean {
  if (size === "auto") return true;
  const [, width, height] = (/^(\d{1,5})x(\d{1,5})$/.exec(size) ?? []).map(Number);
  if (!width || !height || width % 16 !== 0 || height % 16 !== 0) return false;
  const [short, long] = width < height ? [width, height] : [height, width];
  return long <= 3840 && short * long <= 3840 * 2160 && long <= 3 * short;
}

function sizeSchema(sizes: ModelCard["sizes"]): z.ZodType {
  if (sizes === "free") {
    const rule = "expected WIDTHxHEIGHT in multiples of 16, at most 3840x2160 and 3:1, or `auto`";
    return z.string().refine(isFreeSize, rule);
  }
  if (sizes) return z.enum(sizes);
  return z
    .string()
    .regex(/^([1-9]\d{0,4}x[1-9]\d{0,4}|auto)$/, "expected WIDTHxHEIGHT in pixels, or `auto`");
}

function describeSizes(sizes: ModelCard["sizes"]): string {
  const rule = sizes === "free" ? "; multiples of 16, at most 3840x2160 and 3:1; or auto" : "";
  return `Width and height in pixels, such as 1024x1024${rule}`;
}

/** One of the values where the card lists them, else any text. */
function choice(values: readonly string[] | undefined): z.ZodType {
  return values ? z.enum(values) : z.string().min(1);
}

const seed = z
  .int()
  .min(0)
  .max(Number.MAX_SAFE_INTEGER)
  .describe("Seed of the image; usually set by the run's --seed");
const negativePrompt = z.string().describe("What the image should not show");

/** How the image looks, as far as the card narrows it. */
function pictureShape({ sizes, qualities }: ModelCard) {
  return {
    size: sizeSchema(sizes).describe(describeSizes(sizes)),
    quality: choice(qualities).describe("How much work goes into the image"),
    style: z
      .enum(["vivid", "natural"])
      .describe("vivid: dramatic; natural: closer to a photograph"),
    complexity: z
      .enum(["low", "medium", "high"])
      .describe("How much planning goes before the drawing"),
    seed,
    negative_prompt: negativePrompt,
  };
}

/** What its file is. */
function fileShape({ formats }: ModelCard) {
  return {
    response_format: z
      .enum(["url", "b64_json"])
      .describe("Whether images come as URLs or in the answer itself"),
    output_format: choice(formats).describe("File format of the images"),
    output_compression: z
      .int()
      .min(0)
      .max(100)
      .describe("Percent; for output_format jpeg and webp only"),
    background: z
      .enum(["transparent", "opaque", "auto"])
      .describe("transparent needs output_format png or webp"),
  };
}

const animationShape = {
  frame_count: z
    .int()
    .min(2)
    .max(16)
    .describe("Frames of an animation; for output_format gif only"),
  frame_duration_ms: z
    .int()
    .min(10)
    .max(655_350)
    .describe("Milliseconds per frame; for output_format gif only"),
};

/** What the provider is told of who asks, and how strict it is. */
const askerShape = {
  moderation: z.enum(["auto", "low"]).describe("How strictly the provider filters"),
  user: z
    .string()
    .describe("Your own name for the person who asks, for the provider's abuse checks"),
  safety_identifier: z.string().describe("Hashed id of the person who asks; replaces user"),
};

function openaiShape(card: ModelCard) {
  return { ...pictureShape(card), ...fileShape(card), ...animationShape, ...askerShape };
}

const huggingfaceShape = {
  negative_prompt: negativePrompt,
  width: z.int().min(1).max(16_384).describe("Width in pixels"),
  height: z.int().min(1).max(16_384).describe("Height in pixels"),
  num_inference_steps: z
    .int()
    .min(1)
    .max(1000)
    .describe("Denoising steps: more are slower and usually better"),
  guidance_scale: z.number().min(0).describe("How closely the image follows the prompt"),
  scheduler: z.string().min(1).describe("Name of another scheduler that the model can use"),
  seed,
};

/** Pairs that the API refuses, where both were given. */
function refuseCombinations({ value, issues }: z.core.ParsePayload<Record<string, unknown>>): void {
  const { background, output_compression: compression, output_format: format } = value;
  if (format === undefined) return;
  const refuse = (name: string, message: string) =>
    issues.push({ code: "custom", path: [name], message, input: value[name] });
  if (background === "transparent" && format !== "png" && format !== "webp") {
    refuse(
      "background",
      `transparent needs \`output_format\` png or webp, not ${JSON.stringify(format)}`,
    );
  }
  if (compression !== undefined && format !== "jpeg" && format !== "webp") {
    refuse(
      "output_compression",
      `needs \`output_format\` jpeg or webp, not ${JSON.stringify(format)}`,
    );
  }
}

function schemaOf(card: ModelCard): z.ZodObject {
  if (card.schema) return card.schema;
  const shape: Record<string, z.ZodType> =
    card.kind === "huggingface" ? huggingfaceShape : openaiShape(card);
  const names = card.parameters ?? Object.keys(shape);
  const taken = Object.fromEntries(names.map((name) => [name, shape[name]!.optional()]));
  return z.object(taken).check(refuseCombinations);
}

const cache = new WeakMap<ModelCard, ModelParameters>();

/** What the model of a card takes: the parameters that its provider has, narrowed by what the card says of their values. */
export function modelParameters(card: ModelCard): ModelParameters {
  let made = cache.get(card);
  if (!made) cache.set(card, (made = { modelName: card.id, parameters: schemaOf(card) }));
  return made;
}
