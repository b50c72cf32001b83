import type { Canvas } from "./canvas.ts";
import { acSymbols, endOfBlock, quantizer, sixteenZeros, zigzag } from "./jpeg-tables.ts";

/** `cosines[frequency * 8 + place]`: the one-dimensional transform. */
const cosines = Float64Array.from({ length: 64 }, (_, at) => {
  const frequency = at >> 3;
  const place = at & 7;
  return (
    (frequency === 0 ? Math.SQRT1_2 : 1) *
    0.5 *
    Math.cos(((2 * place + 1) * frequency * Math.PI) / 16)
  );
});

const order = Uint8Array.from(zigzag);
const acCodes = Uint8Array.from({ length: 256 }, (_, symbol) =>
  Math.max(0, acSymbols.indexOf(symbol)),
);
const factors = Float64Array.from(zigzag, (at) => 1 / quantizer[at]!);

/** Collects bits, the highest first; a byte 255 is followed by a zero, as a scan wants it. */
class ScanWriter {
  #bytes: Uint8Array;
  #at = 0;
  #held = 0;
  #heldBits = 0;

  constructor(capacity: number) {
    this.#bytes = new Uint8Array(capacity);
  }

  /** At most 16 bits. */
  write(value: number, bits: number): void {
    this.#held = (this.#held << bits) | value;
    this.#heldBits += bits;
    while (this.#heldBits >= 8) {
      this.#heldBits -= 8;
      this.#push((this.#held >> this.#heldBits) & 0xff);
    }
    this.#held &= (1 << this.#heldBits) - 1;
  }

  #push(byte: number): void {
    if (this.#at + 2 > this.#bytes.length) {
      const larger = new Uint8Array(this.#bytes.length * 2);
      larger.set(this.#bytes);
      this.#bytes = larger;
    }
    this.#bytes[this.#at++] = byte;
    if (byte === 0xff) this.#bytes[this.#at++] = 0;
  }

  /** Fills the last byte with ones. */
  finish(): Uint8Array {
    if (this.#heldBits > 0) this.write((1 << (8 - this.#heldBits)) - 1, 8 - this.#heldBits);
    return this.#bytes.subarray(0, this.#at);
  }
}

/** Luma and both chromas of each colour of the palette, shifted to lie around zero. */
function toYcc(palette: Uint8Array): Float64Array[] {
  const colours = palette.length / 3;
  const [luma, blue, red] = [
    new Float64Array(colours),
    new Float64Array(colours),
    new Float64Array(colours),
  ];
  for (let colour = 0; colour < colours; colour++) {
    const [r, g, b] = [palette[colour * 3]!, palette[colour * 3 + 1]!, palette[colour * 3 + 2]!];
    luma[colour] = 0.299 * r + 0.587 * g + 0.114 * b - 128;
    blue[colour] = -0.168736 * r - 0.331264 * g + 0.5 * b;
    red[colour] = 0.5 * r - 0.418688 * g - 0.081312 * b;
  }
  return [luma, blue, red];
}

/**
 * `target = cosines × source`, turned on its side: applied twice it is the two-dimensional transform. Even frequencies
 * are symmetric and odd ones antisymmetric, so that half of the products do.
 */
function transform(source: Float64Array, target: Float64Array): void {
  for (let row = 0; row < 8; row++) {
    const at = row * 8;
    for (let frequency = 0; frequency < 8; frequency++) {
      const sign = (frequency & 1) === 0 ? 1 : -1;
      const wave = frequency * 8;
      target[wave + row] =
        (source[at]! + sign * source[at + 7]!) * cosines[wave]! +
        (source[at + 1]! + sign * source[at + 6]!) * cosines[wave + 1]! +
        (source[at + 2]! + sign * source[at + 5]!) * cosines[wave + 2]! +
        (source[at + 3]! + sign * source[at + 4]!) * cosines[wave + 3]!;
    }
  }
}

/** Bits that a value takes, and those bits: a negative one is written as its value minus 1. */
function writeMagnitude(bits: ScanWriter, value: number, size: number): void {
  if (size > 0) bits.write(value < 0 ? value + (1 << size) - 1 : value, size);
}

function sizeOf(value: number): number {
  return 32 - Math.clz32(Math.abs(value));
}

/** Writes one transformed block; gives back its first coefficient, which the next block is told as a difference. */
function writeBlock(bits: ScanWriter, block: Float64Array, previous: number): number {
  const first = Math.round(block[0]! * factors[0]!);
  const firstSize = sizeOf(first - previous);
  bits.write(firstSize, 4);
  writeMagnitude(bits, first - previous, firstSize);
  let zeros = 0;
  for (let at = 1; at < 64; at++) {
    const value = Math.round(block[order[at]!]! * factors[at]!);
    if (value === 0) {
      zeros++;
      continue;
    }
    for (; zeros >= 16; zeros -= 16) bits.write(acCodes[sixteenZeros]!, 8);
    const size = sizeOf(value);
    bits.write(acCodes[(zeros << 4) | size]!, 8);
    writeMagnitude(bits, value, size);
    zeros = 0;
  }
  if (zeros > 0) bits.write(acCodes[endOfBlock]!, 8);
  return first;
}

/** The compressed blocks of a baseline JPEG: luma, blue and red of each 8x8 square in turn, edges repeated. */
export function encodeScan({ width, height, pixels, palette }: Canvas): Uint8Array {
  const channels = toYcc(palette);
  const bits = new ScanWriter(1024 + (width * height) / 2);
  const [samples, once, twice] = [new Float64Array(64), new Float64Array(64), new Float64Array(64)];
  const square = new Uint8Array(64);
  const previous = [0, 0, 0];
  for (let top = 0; top < height; top += 8) {
    for (let left = 0; left < width; left += 8) {
      for (let at = 0; at < 64; at++) {
        const y = Math.min(top + (at >> 3), height - 1);
        square[at] = pixels[y * width + Math.min(left + (at & 7), width - 1)]!;
      }
      for (const [channel, values] of channels.entries()) {
        for (let at = 0; at < 64; at++) samples[at] = values[square[at]!]!;
        transform(samples, once);
        transform(once, twice);
        previous[channel] = writeBlock(bits, twice, previous[channel]!);
      }
    }
  }
  return bits.finish();
}
