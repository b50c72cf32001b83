import type { Canvas } from "./canvas.ts";
import type { Padding } from "./padding.ts";

/** Collects bits, the lowest first, as VP8L wants them. */
class BitWriter {
  readonly #bytes: Uint8Array;
  #at = 0;
  #held = 0;
  #heldBits = 0;

  constructor(capacity: number) {
    this.#bytes = new Uint8Array(capacity);
  }

  write(value: number, bits: number): void {
    this.#held |= value << this.#heldBits;
    this.#heldBits += bits;
    while (this.#heldBits >= 8) {
      this.#bytes[this.#at++] = this.#held;
      this.#held >>>= 8;
      this.#heldBits -= 8;
    }
  }

  finish(): Uint8Array {
    if (this.#heldBits > 0) this.#bytes[this.#at++] = this.#held;
    return this.#bytes.subarray(0, this.#at);
  }
}

/** Prefix codes are packed from their highest bit, so that a code of 8 bits is the value turned round. */
const reversed = Uint8Array.from({ length: 256 }, (_, value) => {
  let turned = 0;
  for (let bit = 0; bit < 8; bit++) turned |= ((value >> bit) & 1) << (7 - bit);
  return turned;
});

/** Writes a prefix code in which each of the first 256 symbols has 8 bits, and the others are not used. */
function writeFlatCode(bits: BitWriter, alphabetSize: number): void {
  bits.write(0, 1);
  // Lengths of 12 code length codes follow, in the order of the specification: only 0 and 8 are used, with 1 bit each.
  bits.write(12 - 4, 4);
  for (let position = 0; position < 12; position++)
    bits.write(position === 2 || position === 11 ? 1 : 0, 3);
  bits.write(0, 1);
  for (let symbol = 0; symbol < alphabetSize; symbol++) bits.write(symbol < 256 ? 1 : 0, 1);
}

/** Writes a prefix code of one symbol, which then takes no bits at all. */
function writeSingleCode(bits: BitWriter, symbol: number): void {
  bits.write(1, 1);
  bits.write(0, 1);
  bits.write(1, 1);
  bits.write(symbol, 8);
}

/** The VP8L stream: no transforms, no colour cache, every channel with a flat code, opaque. */
function encodeLossless({ width, height, pixels, palette }: Canvas): Uint8Array {
  const bits = new BitWriter(pixels.length * 3 + 256);
  bits.write(0x2f, 8);
  bits.write(width - 1, 14);
  bits.write(height - 1, 14);
  bits.write(0, 4);
  bits.write(0, 3);
  writeFlatCode(bits, 256 + 24);
  writeFlatCode(bits, 256);
  writeFlatCode(bits, 256);
  writeSingleCode(bits, 255);
  writeSingleCode(bits, 0);
  const codes = new Uint32Array(palette.length / 3);
  for (let colour = 0; colour < codes.length; colour++) {
    const [red, green, blue] = [
      palette[colour * 3]!,
      palette[colour * 3 + 1]!,
      palette[colour * 3 + 2]!,
    ];
    codes[colour] = reversed[green]! | (reversed[red]! << 8) | (reversed[blue]! << 16);
  }
  for (const pixel of pixels) bits.write(codes[pixel]!, 24);
  return bits.finish();
}

/** One RIFF chunk: name, length, content, and a zero where the length is odd. */
function chunk(name: string, content: Uint8Array): Buffer {
  const bytes = Buffer.alloc(8 + content.length + (content.length & 1));
  bytes.write(name, 0, "latin1");
  bytes.writeUInt32LE(content.length, 4);
  bytes.set(content, 8);
  return bytes;
}

/** The header of the extended format, the only one in which unknown chunks may follow. */
function extendedHeader({ width, height }: Canvas): Buffer {
  const content = Buffer.alloc(10);
  content.writeUIntLE(width - 1, 4, 3);
  content.writeUIntLE(height - 1, 7, 3);
  return chunk("VP8X", content);
}

/**
 * Encodes a canvas as a lossless WebP, with an unknown chunk `imPd` that brings the file to the bytes that the padding
 * asks for. Sides of at most 16,384 pixels.
 * Sources: https://developers.google.com/speed/webp/docs/riff_container and …/webp_lossless_bitstream_specification
 */
export function encodeWebp(canvas: Canvas, padding: Padding): Buffer {
  const image = chunk("VP8L", encodeLossless(canvas));
  const parts = [Buffer.from("WEBP", "latin1"), image];
  const missing = padding.missingFrom([...parts, Buffer.alloc(8 + 18 + 8)]);
  if (missing > 0)
    parts.splice(1, 1, extendedHeader(canvas), image, chunk("imPd", padding.take(missing)));
  return chunk("RIFF", Buffer.concat(parts));
}
