import { randomBytes } from "node:crypto";
import type { ImageRecipe } from "./image.ts";
import type { SimulatorSettings } from "./settings.ts";

/** What an image URL stands for: a recipe to draw again, or a page of HTML where an image should be. */
export type LinkedImage = ImageRecipe | "html";

/** Images that were answered as URLs: the last `keepUrls` of them, as recipes. */
export interface ImageUrls {
  /** Path of a new URL for the image. */
  add(image: LinkedImage): string;
  get(token: string): LinkedImage | undefined;
}

/** URLs in memory. A token is a number behind a prefix that no other simulator has. */
export function imageUrls(settings: SimulatorSettings): ImageUrls {
  const prefix = `${randomBytes(6).toString("hex")}x`;
  const images = new Map<string, LinkedImage>();
  let newest = 0;
  let oldest = 1;
  return {
    add: (image) => {
      const token = `${prefix}${++newest}`;
      images.set(token, image);
      while (images.size > settings.keepUrls) images.delete(`${prefix}${oldest++}`);
      return `/images/${token}`;
    },
    get: (token) => images.get(token),
  };
}
