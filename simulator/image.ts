import { hash } from "node:crypto";
import type { Canvas } from "./canvas.ts";
import { detached } from "./detached.ts";
import { draw } from "./draw.ts";
import { encodeJpeg } from "./jpeg.ts";
import type { Padding } from "./padding.ts";
import { paddingTo } from "./padding.ts";
import { encodePng } from "./png.ts";
import { encodeWebp } from "./webp.ts";

/** Formats that the simulator can draw. */
export const imageFormats = ["png", "jpeg", "webp"] as const;
/** Formats that the simulator draws. */
export type ImageFormat = (typeof imageFormats)[number];

/** All that an image is made of: small, so that an image can be forgotten and drawn again. */
export interface ImageRecipe {
  /** What can be read in the image: index, seed, beginning of the prompt. */
  text: string;
  /** Hash of everything that the image depends on. */
  hash: Uint8Array;
  width: number;
  height: number;
  format: ImageFormat;
  /** About how large the file shall be; 0: as small as it comes. */
  imageBytes: number;
}

/** One image as a provider is asked for it. */
export interface WantedImage {
  model: string;
  prompt: string;
  /** Place of the image within its call, from 0. */
  index: number;
  seed: number;
  /** Every other parameter that the image shall depend on. */
  parameters: unknown;
  /** Pixels as asked for. */
  width: number;
  height: number;
  format: ImageFormat;
}

/** Characters of the prompt that a recipe keeps. */
const textLimit = 1_000;
/** The shortest side that is drawn. */
const minSide = 16;

/** The recipe of a wanted image, drawn at `imageScale` times its size. Equal wants have equal recipes. */
export function recipeOf(wanted: WantedImage, imageScale: number, imageBytes: number): ImageRecipe {
  const { model, prompt, index, seed, parameters, width, height, format } = wanted;
  return {
    text: `#${index} S${seed}\n${detached(prompt, textLimit)}`,
    hash: hash(
      "sha256",
      JSON.stringify([prompt, seed, index, model, parameters, width, height]),
      "buffer",
    ),
    width: Math.max(minSide, Math.round(width * imageScale)),
    height: Math.max(minSide, Math.round(height * imageScale)),
    format,
    imageBytes,
  };
}

const encoders: Record<ImageFormat, (canvas: Canvas, padding: Padding) => Buffer> = {
  png: encodePng,
  jpeg: encodeJpeg,
  webp: encodeWebp,
};

/** Draws and encodes an image. The same recipe always gives the same bytes. */
export function render(recipe: ImageRecipe): Buffer {
  const canvas = draw(recipe.text, recipe.hash, recipe.width, recipe.height);
  return encoders[recipe.format](canvas, paddingTo(recipe.imageBytes));
}
