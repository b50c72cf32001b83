/**
 * How many output tokens an image takes: `table` by size as for gpt-image-1, `area` by the formula of gpt-image-2.
 *
 * - table: https://community.openai.com/t/1371851 (the table of OpenAI's image generation guide)
 * - area: https://community.openai.com/t/1382699 (it gives what OpenAI's own calculator gives: 7,024 tokens for
 *   1024x1024, 5,488 for 1536x1024 and 5,063 for 1792x1024 at high quality)
 */
export type TokenScheme = "table" | "area";

/** Output tokens of one image. */
export interface ImageTokens {
  /** For what the model most likely chooses where size or quality is left to it: 1024x1024 and medium. */
  expected: number;
  /** For the dearest that it may choose: the largest common size and high. */
  atMost: number;
}

const commonSizes = ["1024x1024", "1024x1536", "1536x1024"] as const;

const table: Record<string, Partial<Record<string, number>>> = {
  low: { "1024x1024": 272, "1024x1536": 408, "1536x1024": 400 },
  medium: { "1024x1024": 1056, "1024x1536": 1584, "1536x1024": 1568 },
  high: { "1024x1024": 4160, "1024x1536": 6240, "1536x1024": 6208 },
};

/** Patches along the longer side, by quality. */
const longSide: Partial<Record<string, number>> = { low: 16, medium: 48, high: 96 };

function byArea(quality: string, size: string): number | undefined {
  const patches = longSide[quality];
  const [width, height] = size.split("x").map(Number);
  if (patches === undefined || !width || !height) return undefined;
  const across = Math.round((patches * Math.min(width, height)) / Math.max(width, height));
  return Math.ceil((patches * across * (2_000_000 + width * height)) / 4_000_000);
}

const count: Record<TokenScheme, (quality: string, size: string) => number | undefined> = {
  table: (quality, size) => table[quality]?.[size],
  area: byArea,
};

/** Output tokens of an image with these parameters; undefined where they are not known for its size or quality. */
export function imageTokens(
  scheme: TokenScheme,
  { size = "auto", quality = "auto" }: { size?: unknown; quality?: unknown },
): ImageTokens | undefined {
  const sizes = size === "auto" ? commonSizes : [String(size)];
  const qualities = quality === "auto" ? ["medium", "high"] : [String(quality)];
  const counts = qualities.flatMap((one) => sizes.map((other) => count[scheme](one, other)));
  const known = counts.filter((tokens) => tokens !== undefined);
  if (known.length < counts.length) return undefined;
  return { expected: known[0]!, atMost: Math.max(...known) };
}
