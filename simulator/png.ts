import { crc32, deflateSync } from "node:zlib";
import type { Canvas } from "./canvas.ts";
import type { Padding } from "./padding.ts";

const signature = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]);
const indexedColour = 3;
/** Bytes of a chunk beside its content: length, type, checksum. */
const chunkOverhead = 12;

/** One PNG chunk: length, type, content, checksum of type and content. */
function chunk(type: string, content: Uint8Array): Buffer {
  const bytes = Buffer.allocUnsafe(content.length + chunkOverhead);
  bytes.writeUInt32BE(content.length, 0);
  bytes.write(type, 4, "latin1");
  bytes.set(content, 8);
  bytes.writeUInt32BE(crc32(bytes.subarray(4, 8 + content.length)), 8 + content.length);
  return bytes;
}

function header({ width, height }: Canvas): Buffer {
  const content = Buffer.alloc(13);
  content.writeUInt32BE(width, 0);
  content.writeUInt32BE(height, 4);
  content[8] = 8;
  content[9] = indexedColour;
  return chunk("IHDR", content);
}

/** The rows, each behind a zero that says "not filtered". */
function scanlines({ width, height, pixels }: Canvas): Uint8Array {
  const rows = new Uint8Array((width + 1) * height);
  for (let y = 0; y < height; y++)
    rows.set(pixels.subarray(y * width, (y + 1) * width), y * (width + 1) + 1);
  return rows;
}

/**
 * Encodes a canvas as an indexed PNG, with a private ancillary chunk `imPd` that brings the file to the bytes that the
 * padding asks for. Source: https://www.w3.org/TR/png-3/
 */
export function encodePng(canvas: Canvas, padding: Padding): Buffer {
  const parts = [
    signature,
    header(canvas),
    chunk("PLTE", canvas.palette),
    chunk("IDAT", deflateSync(scanlines(canvas), { level: 1, memLevel: 5, windowBits: 12 })),
  ];
  const end = chunk("IEND", Buffer.alloc(0));
  const missing = padding.missingFrom([...parts, end]) - chunkOverhead;
  if (missing > 0) parts.push(chunk("imPd", padding.take(missing)));
  return Buffer.concat([...parts, end]);
}
