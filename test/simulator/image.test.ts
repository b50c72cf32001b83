import { createHash } from "node:crypto";
import { expect, test } from "vitest";
import type { Canvas } from "../../simulator/canvas.ts";
import { draw } from "../../simulator/draw.ts";
import type { ImageFormat, WantedImage } from "../../simulator/image.ts";
import { imageFormats, recipeOf, render } from "../../simulator/image.ts";
import { encodeJpeg } from "../../simulator/jpeg.ts";
import { paddingTo } from "../../simulator/padding.ts";
import { encodeWebp } from "../../simulator/webp.ts";
import { decodePng, jpegSize, webpSize } from "./decode.ts";

const fox: WantedImage = {
  model: "sim",
  prompt: "a red fox",
  index: 0,
  seed: 7,
  parameters: {},
  width: 1024,
  height: 512,
  format: "png",
};
const sizeOf: Record<ImageFormat, (file: Buffer) => { width: number; height: number }> = {
  png: decodePng,
  jpeg: jpegSize,
  webp: webpSize,
};

/** A canvas with sides that are no multiples of 8, three colours and a pattern. */
function stripes(): Canvas {
  const pixels = Uint8Array.from({ length: 20 * 11 }, (_, at) => (at + Math.floor(at / 20)) % 3);
  return {
    width: 20,
    height: 11,
    pixels,
    palette: Uint8Array.from([255, 0, 0, 10, 200, 30, 0, 0, 255]),
  };
}

function sha256(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}

test.for(imageFormats)("a %s has a sixteenth of the size asked for, or all of it", (format) => {
  const small = sizeOf[format](render(recipeOf({ ...fox, format }, 1 / 16, 0)));
  expect(small).toMatchObject({ width: 64, height: 32 });
  const real = sizeOf[format](render(recipeOf({ ...fox, format, width: 320, height: 200 }, 1, 0)));
  expect(real).toMatchObject({ width: 320, height: 200 });
});

test.for(imageFormats)("a %s is padded to a megabyte and shows the same picture", (format) => {
  const padded = render(recipeOf({ ...fox, format }, 1 / 16, 1_000_000));
  expect(Math.abs(padded.length - 1_000_000)).toBeLessThan(16);
  expect(sizeOf[format](padded)).toMatchObject({ width: 64, height: 32 });
});

test("a padded 90b12ecbbd9bfd3a9435dc7f796fdadf3704bceed5d592c834dc272970447317 decodes to the pixels of the one that is not", () => {
  const plain = decodePng(render(recipeOf(fox, 1 / 16, 0)));
  const padded = decodePng(render(recipeOf(fox, 1 / 16, 100_000)));
  expect(padded.pixels.equals(plain.pixels)).toBe(true);
});

// Both files were decoded with Pillow 13: the WebP to exactly these pixels, the JPEG to a mean difference below 2 of 255.
// If an encoder changes, decode its output with an independent program before a new hash is put here.
test("WebP and JPEG are the bytes that an independent decoder accepted", () => {
  expect(sha256(encodeWebp(stripes(), paddingTo(0)))).toBe(
    "de12ff73342d7ba04b0acb29ad87640f53ba13d53605bc76a070d04acf1bcdb6",
  );
  expect(sha256(encodeWebp(stripes(), paddingTo(5_000)))).toBe(
    "063d93d61f7d8599f62b2d4826a2b934d34657330b25c4556089304d68bcb4b2",
  );
  expect(sha256(encodeJpeg(stripes(), paddingTo(0)))).toBe(
    "10b94a4c2e01cc821e46023589cf07642b162b765c3bc3774d2874790a1b9f40",
  );
  expect(sha256(encodeJpeg(stripes(), paddingTo(200_000)))).toBe(
    "be4d0605d2c40b3305cc260dc9722a20a6e62bc0fe54cc90e5d4a2c00d9da8da",
  );
});

test("equal wants give equal bytes", () => {
  expect(render(recipeOf({ ...fox }, 1 / 16, 0))).toEqual(render(recipeOf({ ...fox }, 1 / 16, 0)));
});

test.for([
  { prompt: "a red fix" },
  { index: 1 },
  { seed: 8 },
  { model: "other" },
  { parameters: { quality: "high" } },
  { prompt: `a red fox ${"x".repeat(5_000)}` },
])("another picture comes of another %o", (change) => {
  const [one, other] = [fox, { ...fox, ...change }].map((wanted) =>
    decodePng(render(recipeOf(wanted, 1 / 16, 0))),
  );
  expect(one!.pixels.equals(other!.pixels)).toBe(false);
});

test("the text can be read: the pixels of A are those of the font", () => {
  const { pixels, width } = draw("A", new Uint8Array(32), 64, 64);
  const white = Math.max(...pixels);
  const rows = [1, 2, 3, 4, 5].map((y) =>
    Array.from(pixels.subarray(y * width + 1, y * width + 4), (pixel) =>
      pixel === white ? "#" : ".",
    ).join(""),
  );
  expect(rows).toEqual([".#.", "#.#", "###", "#.#", "#.#"]);
});

test("pictures of one text and one background differ in the dots of their lower edge", () => {
  const hashes = [new Uint8Array(32), new Uint8Array(32)];
  hashes[1]![20] = 1;
  const [one, other] = hashes.map((hash) => draw("A", hash, 256, 16).pixels);
  expect([...one!.keys()].filter((at) => one![at] !== other![at])).toEqual([15 * 256 + 160]);
});

test("a recipe keeps no more than the beginning of a long prompt", () => {
  expect(recipeOf({ ...fox, prompt: "é".repeat(30_000) }, 1 / 16, 0).text.length).toBeLessThan(
    1_100,
  );
});
