import type { z } from "zod";
import type { TokenScheme } from "./image-tokens.ts";
import { ProviderKind } from "./profile.ts";

/** A price for one image that holds only for this size or quality. */
export interface ImagePrice {
  size?: string;
  quality?: string;
  usd: number;
}

/** What is known of a model: what it takes, what it limits, what it costs. Data only. */
export interface ModelCard {
  /** Of its provider. */
  kind: string;
  id: string;
  /** False for a model that is not in the registry: then everything here is a safe assumption. */
  known: boolean;
  /** Images that one call can make. */
  maxGenerationsPerCall: number;
  /** Longest prompt in characters; null where no limit is known. */
  maxPromptChars: number | null;
  takesSeed: boolean;
  /** `base64`: images always come in the answer; `either`: `response_format` chooses between that and URLs. */
  answers: "base64" | "either";
  /** Names of the parameters that the model takes; undefined: all that its provider kind has. */
  parameters?: readonly string[];
  /** What a model of one's own takes, instead of the parameters that its provider kind has. */
  schema?: z.ZodObject;
  /** Allowed sizes; `free`: any WxH by the rules of gpt-image-2; undefined: any WxH. */
  sizes?: readonly string[] | "free";
  qualities?: readonly string[];
  /** Values of `output_format` whose images can be stored (SVG cannot). */
  formats?: readonly string[];
  /** The date (YYYY-MM-DD) on which the provider's public service shuts the model down. */
  shutdownOn?: string;
  /** US dollars for one image at the defaults. */
  pricePerImageUsd?: number;
  /** Other prices per image; the first that fits the call's size and quality holds. */
  prices?: readonly ImagePrice[];
  /** US dollars per million tokens. */
  tokenPrices?: TokenPrices;
  /** How many tokens an image takes; undefined where that is not published: then its cost is known only afterwards. */
  tokenScheme?: TokenScheme;
  /** Images a minute that the provider's tiers of account allow, the lowest first. */
  imagesPerMinute?: readonly number[];
}

/** US dollars per million tokens, and the page where they were read. */
export interface TokenPrices {
  textIn: number;
  imageIn: number;
  imageOut: number;
  source: string;
}

type Facts = Omit<ModelCard, "kind" | "id" | "known">;

const gptImageParameters = [
  "size",
  "quality",
  "output_format",
  "output_compression",
  "background",
  "moderation",
  "user",
  "safety_identifier",
] as const;

const gptImage1: Facts = {
  maxGenerationsPerCall: 10,
  maxPromptChars: 32_000,
  takesSeed: false,
  answers: "base64",
  parameters: gptImageParameters,
  sizes: ["1024x1024", "1536x1024", "1024x1536", "auto"],
  qualities: ["low", "medium", "high", "auto"],
  formats: ["png", "jpeg", "webp"],
};

const modelPages = "https://developers.openai.com/api/docs/models";

// Prices as of November 2026.
const gptImage2Prices: TokenPrices = {
  textIn: 5,
  imageIn: 8,
  imageOut: 30,
  source: "https://xairouter.com/en/models/gpt-image-2/",
};

const anySizeGptImage: Facts = { ...gptImage1, sizes: "free" };

const gptImage2: Facts = {
  ...anySizeGptImage,
  tokenPrices: gptImage2Prices,
  tokenScheme: "area",
  imagesPerMinute: [5, 20, 50, 150, 250],
};

/** Tokens are priced as those of gpt-image-2, but an image takes another, unpublished number of them. */
const gptImage25: Facts = {
  ...anySizeGptImage,
  qualities: ["low", "medium", "high", "xhigh", "max", "auto"],
  tokenPrices: { ...gptImage2Prices, source: "https://apidog.com/kr/blog/gpt-image-2-5-api/" },
};

const gptImage26: Facts = {
  ...anySizeGptImage,
  qualities: ["low", "medium", "high", "xhigh", "max", "auto"],
  parameters: [...gptImageParameters, "complexity", "frame_count", "frame_duration_ms"],
  formats: ["png", "jpeg", "webp", "gif"],
};

const simulated: Facts = {
  maxGenerationsPerCall: 10,
  maxPromptChars: 32_000,
  takesSeed: true,
  answers: "either",
  pricePerImageUsd: 0.04,
};

const openaiModels: Record<string, Facts> = {
  "dall-e-2": {
    maxGenerationsPerCall: 10,
    maxPromptChars: 1000,
    takesSeed: false,
    answers: "either",
    parameters: ["size", "quality", "response_format", "user"],
    sizes: ["256x256", "512x512", "1024x1024"],
    qualities: ["standard"],
    shutdownOn: "2026-05-12",
    pricePerImageUsd: 0.02,
    prices: [
      { size: "512x512", usd: 0.018 },
      { size: "256x256", usd: 0.016 },
    ],
  },
  "dall-e-3": {
    maxGenerationsPerCall: 1,
    maxPromptChars: 4000,
    takesSeed: false,
    answers: "either",
    parameters: ["size", "quality", "style", "response_format", "user"],
    sizes: ["1024x1024", "1792x1024", "1024x1792"],
    qualities: ["standard", "hd"],
    shutdownOn: "2026-05-12",
    pricePerImageUsd: 0.04,
    prices: [
      { size: "1792x1024", quality: "hd", usd: 0.12 },
      { size: "1024x1792", quality: "hd", usd: 0.12 },
      { size: "1792x1024", usd: 0.08 },
      { size: "1024x1792", usd: 0.08 },
      { quality: "hd", usd: 0.08 },
    ],
  },
  "gpt-image-1": {
    ...gptImage1,
    shutdownOn: "2026-10-23",
    tokenPrices: {
      textIn: 5,
      imageIn: 10,
      imageOut: 40,
      source: "https://community.openai.com/t/1275254",
    },
    tokenScheme: "table",
  },
  "gpt-image-1-mini": {
    ...gptImage1,
    shutdownOn: "2026-12-01",
    tokenPrices: { textIn: 2, imageIn: 2.5, imageOut: 8, source: `${modelPages}/gpt-image-1-mini` },
    // Its page gives prices per image that are above those of its tokens: the estimate takes the higher ones.
    prices: [
      { quality: "low", size: "1024x1024", usd: 0.005 },
      { quality: "low", size: "1024x1536", usd: 0.006 },
      { quality: "low", size: "1536x1024", usd: 0.006 },
      { quality: "medium", size: "1024x1024", usd: 0.011 },
      { quality: "medium", size: "1024x1536", usd: 0.015 },
      { quality: "medium", size: "1536x1024", usd: 0.015 },
      { quality: "high", size: "1024x1024", usd: 0.036 },
      { quality: "high", size: "1024x1536", usd: 0.052 },
      { quality: "high", size: "1536x1024", usd: 0.052 },
    ],
  },
  "gpt-image-1.5": {
    ...gptImage1,
    shutdownOn: "2026-12-01",
    tokenPrices: {
      textIn: 5,
      imageIn: 8,
      imageOut: 32,
      source: "https://community.openai.com/t/1371851",
    },
    tokenScheme: "table",
  },
  "chatgpt-image-latest": { ...gptImage1, shutdownOn: "2026-12-01" },
  "gpt-image-2": gptImage2,
  "gpt-image-2-2026-04-21": gptImage2,
  "gpt-image-2.5-sunburst": gptImage25,
  "gpt-image-2.5-sunburst-2026-09-08": gptImage25,
  "gpt-image-2.5-flare": gptImage25,
  "gpt-image-2.5-flare-2026-09-08": gptImage25,
  "gpt-image-2.6-sunburst": {
    ...gptImage26,
    tokenPrices: {
      textIn: 5,
      imageIn: 8,
      imageOut: 30,
      source: `${modelPages}/gpt-image-2.6-sunburst`,
    },
  },
  "gpt-image-2.6-flare": gptImage26,
  "imagemill-sim-1": { ...simulated, maxGenerationsPerCall: 1 },
  "imagemill-sim-10": simulated,
};

const huggingface: Facts = {
  maxGenerationsPerCall: 1,
  maxPromptChars: null,
  takesSeed: true,
  answers: "base64",
};

const unknownOpenai: Facts = {
  maxGenerationsPerCall: 1,
  maxPromptChars: 32_000,
  takesSeed: false,
  answers: "either",
};

const huggingfaceModels: Record<string, Facts> = {
  "black-forest-labs/FLUX.1-schnell": huggingface,
  "black-forest-labs/FLUX.1-dev": huggingface,
  "stabilityai/stable-diffusion-3.5-large": huggingface,
  "stabilityai/stable-diffusion-xl-base-1.0": huggingface,
};

const registry = { openai: openaiModels, huggingface: huggingfaceModels };
const assumptions = { openai: unknownOpenai, huggingface };

/** Of a provider that this process does not know, such as one that only some workers have. */
const unknownProvider: Facts = { ...huggingface, takesSeed: false, parameters: [] };

/** The card of a model. One that is not in the registry gets safe assumptions: one image a call, no seed at OpenAI. */
export function findModel(kind: string, model: string): ModelCard {
  const builtIn = ProviderKind.safeParse(kind).data;
  if (!builtIn) return { kind, id: model, known: false, ...unknownProvider };
  const models = registry[builtIn];
  const known = Object.hasOwn(models, model);
  return { kind, id: model, known, ...(known ? models[model]! : assumptions[builtIn]) };
}

/** The cards of every model in the registry, OpenAI's first. */
export function listModels(): ModelCard[] {
  return ProviderKind.options.flatMap((kind) =>
    Object.keys(registry[kind]).map((id) => findModel(kind, id)),
  );
}

/** The provider kind that a model's name tells of; undefined where it tells nothing. */
export function inferProviderKind(model: string): ProviderKind | undefined {
  if (Object.hasOwn(openaiModels, model) || /^(gpt-image|chatgpt-image|dall-e)/.test(model))
    return "openai";
  if (/^[\w.-]+\/[\w.-]+$/.test(model)) return "huggingface";
  return undefined;
}

/** The same card with a price per image in place of every price that it has. */
export function withPricePerImage(card: ModelCard, usd: number): ModelCard {
  const { prices: _prices, tokenPrices: _tokens, ...rest } = card;
  return { ...rest, pricePerImageUsd: usd };
}

/** The card of a run's model, with the price that the run was told; `card` is that of a model of one's own. */
export function cardOfRun(
  run: { profile: { kind: string }; model: string; pricePerImageUsd: number | null },
  card: ModelCard = findModel(run.profile.kind, run.model),
): ModelCard {
  return run.pricePerImageUsd === null ? card : withPricePerImage(card, run.pricePerImageUsd);
}
