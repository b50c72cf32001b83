/** Width and height in pixels. */
export interface ImageSize {
  width: number;
  height: number;
}

/** The size in the header of a whole image, or what is wrong with it, to be read after "an image that". */
export type ImageReading = ImageSize | { fault: string };

const truncated: ImageReading = { fault: "is cut short" };

/** Reads IHDR, the first chunk. */
export function readPngSize(bytes: Buffer): ImageReading {
  if (bytes.length < 33) return truncated;
  if (bytes.toString("latin1", 12, 16) !== "IHDR")
    return { fault: "does not begin with its header" };
  return { width: bytes.readUInt32BE(16), height: bytes.readUInt32BE(20) };
}

/** Walks the chunks from IHDR to IEND (PNG specification, section 5). */
export function readPng(bytes: Buffer): ImageReading {
  const size = readPngSize(bytes);
  if ("fault" in size) return size;
  let hasPixels = false;
  for (let at = 8; at + 12 <= bytes.length;) {
    const length = bytes.readUInt32BE(at);
    const type = bytes.readUInt32BE(at + 4);
    const end = at + 12 + length;
    if (end > bytes.length) return truncated;
    if (type === 0x49444154) hasPixels = true; // IDAT
    if (type === 0x49454e44) return hasPixels ? size : { fault: "has no pixels" }; // IEND
    at = end;
  }
  return truncated;
}

/** Padding that servers are known to leave after the last marker: zeros, fill bytes, spaces and line ends. */
const padding = new Set([0x00, 0x0a, 0x0d, 0x20, 0xff]);

/** Walks the segments to the first scan, then looks for EOI at the end (ITU T.81, annex B). */
export function readJpeg(bytes: Buffer): ImageReading {
  let size: { width: number; height: number } | undefined;
  for (let at = 2; at + 4 <= bytes.length;) {
    if (bytes[at] !== 0xff) return { fault: `has no marker at byte ${at}` };
    const marker = bytes[at + 1]!;
    if (marker === 0xff) {
      at += 1; // a fill byte before the marker
      continue;
    }
    const length = bytes.readUInt16BE(at + 2);
    if (at + 2 + length > bytes.length) return truncated;
    if (isFrameHeader(marker)) {
      if (length < 8) return { fault: "has a damaged frame header" };
      size = { height: bytes.readUInt16BE(at + 5), width: bytes.readUInt16BE(at + 7) };
    }
    if (marker === 0xda) {
      if (!size) return { fault: "has no frame header" };
      return endsWithEoi(bytes, at + 2 + length) ? size : truncated;
    }
    at += 2 + length;
  }
  return truncated;
}

/** SOF0 to SOF15 without DHT, JPG and DAC, which share their range. */
function isFrameHeader(marker: number): boolean {
  return marker >= 0xc0 && marker <= 0xcf && marker !== 0xc4 && marker !== 0xc8 && marker !== 0xcc;
}

/** Within a scan FF is always followed by 00 or a restart marker, so FF D9 at the end is the end. */
function endsWithEoi(bytes: Buffer, scanStart: number): boolean {
  let end = bytes.length;
  while (end > scanStart && padding.has(bytes[end - 1]!)) end--;
  return end - 2 >= scanStart && bytes[end - 1] === 0xd9 && bytes[end - 2] === 0xff;
}

/** Checks the RIFF size and walks the chunks (WebP container specification). */
export function readWebp(bytes: Buffer): ImageReading {
  if (bytes.length < 25) return truncated;
  const riffEnd = 8 + bytes.readUInt32LE(4);
  if (riffEnd > bytes.length) return truncated;
  let hasPixels = false;
  for (let at = 12; at + 8 <= riffEnd;) {
    const type = bytes.toString("latin1", at, at + 4);
    const length = bytes.readUInt32LE(at + 4);
    if (at + 8 + length > riffEnd) return truncated;
    if (type === "VP8 " || type === "VP8L" || type === "ANMF") hasPixels = true;
    at += 8 + length + (length & 1);
  }
  return hasPixels ? readWebpSize(bytes) : { fault: "has no pixels" };
}

/** Reads the first chunk, whose header says how large the picture or the canvas is. */
export function readWebpSize(bytes: Buffer): ImageReading {
  const type = bytes.toString("latin1", 12, 16);
  if (bytes.length < 25) return truncated;
  if (bytes.length < 30 && type !== "VP8L") return truncated;
  switch (type) {
    case "VP8X":
      return { width: bytes.readUIntLE(24, 3) + 1, height: bytes.readUIntLE(27, 3) + 1 };
    case "VP8L": {
      if (bytes[20] !== 0x2f) return { fault: "has a damaged header" };
      const bits = bytes.readUInt32LE(21);
      return { width: (bits & 0x3fff) + 1, height: ((bits >>> 14) & 0x3fff) + 1 };
    }
    case "VP8 ":
      if (bytes.readUIntBE(23, 3) !== 0x9d012a) return { fault: "has a damaged header" };
      return { width: bytes.readUInt16LE(26) & 0x3fff, height: bytes.readUInt16LE(28) & 0x3fff };
    default:
      return { fault: "does not begin with its header" };
  }
}

/** Reads the logical screen. */
export function readGifSize(bytes: Buffer): ImageReading {
  if (bytes.length < 14) return truncated;
  return { width: bytes.readUInt16LE(6), height: bytes.readUInt16LE(8) };
}

/**
 * Walks the blocks to the trailer (GIF89a specification), whose byte alone proves nothing: pixels hold it too. A frame may
 * reach beyond the screen, so the size is that of both.
 */
export function readGif(bytes: Buffer): ImageReading {
  const size = readGifSize(bytes);
  if ("fault" in size) return size;
  let at = 13 + colourTableBytes(bytes[10]!);
  let hasPixels = false;
  while (at < bytes.length) {
    const block = bytes[at];
    if (block === 0x3b) return hasPixels ? size : { fault: "has no pixels" };
    if (block === 0x21) {
      at += 2;
    } else if (block === 0x2c) {
      hasPixels = true;
      if (at + 10 >= bytes.length) return truncated;
      size.width = Math.max(size.width, bytes.readUInt16LE(at + 1) + bytes.readUInt16LE(at + 5));
      size.height = Math.max(size.height, bytes.readUInt16LE(at + 3) + bytes.readUInt16LE(at + 7));
      at += 11 + colourTableBytes(bytes[at + 9]!);
    } else {
      return { fault: `has an unknown block at byte ${at}` };
    }
    while (at < bytes.length && bytes[at] !== 0) at += 1 + bytes[at]!;
    at += 1;
  }
  return truncated;
}

/** Size of the colour table that a packed field announces. */
function colourTableBytes(packed: number): number {
  return packed & 0x80 ? 3 * 2 ** ((packed & 7) + 1) : 0;
}
