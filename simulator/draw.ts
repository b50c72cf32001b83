import type { Canvas } from "./canvas.ts";
import { glyphHeight, glyphOf, glyphWidth } from "./font.ts";

/** Colours of the background, from one end of its gradient to the other; the colour after them is the text's. */
const gradientSteps = 64;
const textColour = gradientSteps;
/** Pixels that a character takes, with the gap to the next one. */
const cellWidth = glyphWidth + 1;
const cellHeight = glyphHeight + 1;

/** Two dark colours from the hash and the steps between them, then white. */
function makePalette(hash: Uint8Array): Uint8Array {
  const palette = new Uint8Array((gradientSteps + 1) * 3).fill(255);
  for (let channel = 0; channel < 3; channel++) {
    const from = hash[channel]! >> 1;
    const to = hash[channel + 3]! >> 1;
    for (let step = 0; step < gradientSteps; step++) {
      palette[step * 3 + channel] = from + Math.round(((to - from) * step) / (gradientSteps - 1));
    }
  }
  return palette;
}

/** Fills the canvas with a gradient whose direction comes from the hash. */
function fillBackground(canvas: Canvas, hash: Uint8Array): void {
  const { width, height, pixels } = canvas;
  const alongX = 1 + (hash[6]! & 7);
  const alongY = 1 + (hash[7]! & 7);
  const scale = gradientSteps / (width * alongX + height * alongY);
  for (let y = 0, at = 0; y < height; y++) {
    for (let x = 0; x < width; x++, at++) pixels[at] = (x * alongX + y * alongY) * scale;
  }
}

/** Without the marks above and below letters, for which the font has no pixels. */
function withoutMarks(text: string): string {
  return text.normalize("NFD").replace(/\p{Mn}/gu, "");
}

/** Breaks the text into lines of at most `columns` characters, at spaces where it can, until `rows` are full. */
function wrap(text: string, columns: number, rows: number): string[] {
  const lines: string[] = [];
  let rest = text.trimStart();
  while (rest !== "" && lines.length < rows) {
    const newline = rest.slice(0, columns + 1).indexOf("\n");
    const space = rest.length > columns ? rest.lastIndexOf(" ", columns) : rest.length;
    const end = newline >= 0 ? newline : space > 0 ? space : columns;
    lines.push(rest.slice(0, end));
    rest = rest.slice(end).trimStart();
  }
  return lines;
}

/** Draws one character with its top left corner at `left`, `top`. What is outside of the canvas is left out. */
function drawCharacter(
  canvas: Canvas,
  character: string,
  left: number,
  top: number,
  scale: number,
): void {
  const glyph = glyphOf(character);
  for (let bit = 0; bit < glyphWidth * glyphHeight; bit++) {
    if (((glyph >> (14 - bit)) & 1) === 0) continue;
    const x = left + (bit % glyphWidth) * scale;
    const y = top + Math.floor(bit / glyphWidth) * scale;
    for (let row = y; row < Math.min(y + scale, canvas.height); row++) {
      const end = Math.min(x + scale, canvas.width);
      if (x < end) canvas.pixels.fill(textColour, row * canvas.width + x, row * canvas.width + end);
    }
  }
}

/** Draws the bits of the hash as a row of dots along the lower edge, so that two pictures differ even in cut text. */
function drawFingerprint(canvas: Canvas, hash: Uint8Array): void {
  const { width, height, pixels } = canvas;
  for (let x = 0; x < Math.min(width, hash.length * 8); x++) {
    if ((hash[x >> 3]! >> (x & 7)) & 1) pixels[(height - 1) * width + x] = textColour;
  }
}

/** How a text is laid out on a canvas: characters are `scale` times the size of the font. */
function textGrid(width: number, height: number) {
  const scale = Math.max(1, Math.floor(Math.min(width, height) / 100));
  const columns = Math.max(1, Math.floor((width - scale) / (cellWidth * scale)));
  const rows = Math.max(1, Math.floor((height - 2 * scale) / (cellHeight * scale)));
  return { scale, columns, rows };
}

/**
 * Draws `text` on a background whose colours, direction and lower edge come from `hash` (16 bytes or more). The same
 * arguments always give the same picture. Sizes in pixels.
 */
export function draw(text: string, hash: Uint8Array, width: number, height: number): Canvas {
  const canvas = {
    width,
    height,
    pixels: new Uint8Array(width * height),
    palette: makePalette(hash),
  };
  fillBackground(canvas, hash);
  const { scale, columns, rows } = textGrid(width, height);
  for (const [row, line] of wrap(withoutMarks(text), columns, rows).entries()) {
    const top = scale + row * cellHeight * scale;
    for (const [column, character] of Array.from(line).entries()) {
      drawCharacter(canvas, character, scale + column * cellWidth * scale, top, scale);
    }
  }
  drawFingerprint(canvas, hash);
  return canvas;
}
