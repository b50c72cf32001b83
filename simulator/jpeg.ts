import type { Canvas } from "./canvas.ts";
import { encodeScan } from "./jpeg-scan.ts";
import { acSymbols, dcSymbols, quantizer, zigzag } from "./jpeg-tables.ts";
import type { Padding } from "./padding.ts";

/** The most bytes that a segment may hold beside its marker and length. */
const maxSegment = 65_533;

/** A marker segment: its length counts itself. */
function segment(marker: number, content: Uint8Array): Buffer {
  const bytes = Buffer.allocUnsafe(content.length + 4);
  bytes.writeUInt16BE(0xff00 | marker, 0);
  bytes.writeUInt16BE(content.length + 2, 2);
  bytes.set(content, 4);
  return bytes;
}

/** A Huffman table in which all symbols have codes of one length, in their order. */
function huffmanTable(id: number, codeLength: number, symbols: readonly number[]): number[] {
  const counts = Array.from({ length: 16 }, (_, index) =>
    index + 1 === codeLength ? symbols.length : 0,
  );
  return [id, ...counts, ...symbols];
}

/** What is the same in every file: JFIF header, quantization table, Huffman tables. */
const preamble = Buffer.concat([
  Buffer.from([0xff, 0xd8]),
  segment(0xe0, Buffer.from("JFIF\0\x01\x01\0\0\x01\0\x01\0\0", "latin1")),
  segment(0xdb, Uint8Array.from([0, ...zigzag.map((at) => quantizer[at]!)])),
  segment(
    0xc4,
    Uint8Array.from([...huffmanTable(0x00, 4, dcSymbols), ...huffmanTable(0x10, 8, acSymbols)]),
  ),
]);
const scanHeader = segment(0xda, Uint8Array.from([3, 1, 0, 2, 0, 3, 0, 0, 63, 0]));
const endMarker = Buffer.from([0xff, 0xd9]);

/** Baseline frame of three components, none of them subsampled. */
function frameHeader({ width, height }: Canvas): Buffer {
  const content = Buffer.from([8, 0, 0, 0, 0, 3, 1, 0x11, 0, 2, 0x11, 0, 3, 0x11, 0]);
  content.writeUInt16BE(height, 1);
  content.writeUInt16BE(width, 3);
  return segment(0xc0, content);
}

/** Comment segments that take up to `missing` bytes, as far as whole segments can. */
function comments(missing: number, padding: Padding): Buffer[] {
  const parts: Buffer[] = [];
  for (let left = missing; left > 4; left -= maxSegment + 4) {
    parts.push(segment(0xfe, padding.take(Math.min(left - 4, maxSegment))));
  }
  return parts;
}

/**
 * Encodes a canvas as a baseline JPEG, with comments that bring the file to the bytes that the padding asks for.
 * Source: https://www.w3.org/Graphics/JPEG/itu-t81.pdf
 */
export function encodeJpeg(canvas: Canvas, padding: Padding): Buffer {
  const body = [frameHeader(canvas), scanHeader, encodeScan(canvas), endMarker];
  const missing = padding.missingFrom([preamble, ...body]);
  return Buffer.concat([preamble, ...comments(missing, padding), ...body]);
}
