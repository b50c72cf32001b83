import type { ImagesRequest } from "./openai-request.ts";

// The bill is reckoned apart from shared/'s price list on purpose: a mistake there must show against it.

/** What is paid where nothing else is said: US dollars of one image. */
export const usualPrice = 0.04;

/** US dollars per million tokens of text and of images, by name or beginning of a name; the first that fits counts. */
const tokenPrices: readonly [string, { text: number; image: number }][] = [
  ["gpt-image-1-mini", { text: 2, image: 8 }],
  ["gpt-image-1.5", { text: 5, image: 32 }],
  ["gpt-image-1", { text: 5, image: 40 }],
  ["", { text: 5, image: 30 }],
];

/** Tokens of an image of 1024x1024, for models of the first generation. */
const squareTokens: Record<string, number> = { low: 272, medium: 1_056, high: 4_160 };
/** Patches along the longer side of an image, for later models. */
const longPatches: Record<string, number> = { low: 16, medium: 48, high: 96, xhigh: 110, max: 128 };

function tokensOf({ model, quality, width, height }: ImagesRequest): number {
  if (/^(gpt-image-1|chatgpt)/.test(model)) {
    const square = squareTokens[quality] ?? squareTokens["medium"]!;
    return Math.round((square * width * height) / (1024 * 1024));
  }
  const long = longPatches[quality] ?? longPatches["medium"]!;
  const short = Math.round((long * Math.min(width, height)) / Math.max(width, height));
  return Math.ceil(long * short * (0.5 + (width * height) / 4_000_000));
}

/** Tokens that the answer to a request with so many images reports. */
export function usageOf(request: ImagesRequest, images: number) {
  const input = Math.ceil(request.prompt.length / 4);
  const output = tokensOf(request) * images;
  return {
    input_tokens: input,
    input_tokens_details: { text_tokens: input, image_tokens: 0 },
    output_tokens: output,
    total_tokens: input + output,
  };
}

/** US dollars that the provider charges for a request that came to so many images. */
export function priceOf(request: ImagesRequest, images: number): number {
  const { model, rules, quality, size } = request;
  if (model === "dall-e-2") {
    return images * ({ "256x256": 0.016, "512x512": 0.018 }[size] ?? 0.02);
  }
  if (model === "dall-e-3") {
    const isLong = size !== "1024x1024";
    return images * (quality === "hd" ? (isLong ? 0.12 : 0.08) : isLong ? 0.08 : 0.04);
  }
  if (rules.answers !== "b64_only" || images === 0) return images * usualPrice;
  const { text, image } = tokenPrices.find(([name]) => model.startsWith(name))![1];
  const { input_tokens: input, output_tokens: output } = usageOf(request, images);
  return (input * text + output * image) / 1_000_000;
}
