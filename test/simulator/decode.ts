import { crc32, inflateSync } from "node:zlib";

/** An indexed PNG, read as strictly as the format is written: signature, order, checksums, lengths. */
export function decodePng(file: Buffer): {
  width: number;
  height: number;
  pixels: Buffer;
  palette: Buffer;
} {
  if (file.subarray(0, 8).toString("latin1") !== "\x89PNG\r\n\x1a\n")
    throw new Error("no PNG signature");
  const chunks = new Map<string, Buffer>();
  let at = 8;
  while (at < file.length) {
    const end = at + 8 + file.readUInt32BE(at);
    const name = file.toString("latin1", at + 4, at + 8);
    if (file.readUInt32BE(end) !== crc32(file.subarray(at + 4, end)))
      throw new Error(`checksum of ${name}`);
    chunks.set(name, file.subarray(at + 8, end));
    at = end + 4;
  }
  if ([...chunks.keys()].at(0) !== "IHDR" || [...chunks.keys()].at(-1) !== "IEND")
    throw new Error("order");
  const header = chunks.get("IHDR")!;
  const [width, height] = [header.readUInt32BE(0), header.readUInt32BE(4)];
  const rows = inflateSync(chunks.get("IDAT")!);
  if (rows.length !== (width + 1) * height) throw new Error(`${rows.length} bytes of rows`);
  const pixels = Buffer.alloc(width * height);
  for (let y = 0; y < height; y++)
    rows.copy(pixels, y * width, y * (width + 1) + 1, (y + 1) * (width + 1));
  return { width, height, pixels, palette: chunks.get("PLTE")! };
}

/** Size of a JPEG from its frame header. Walks every segment, so that lengths that are wrong are noticed. */
export function jpegSize(file: Buffer): { width: number; height: number } {
  if (file.readUInt16BE(0) !== 0xffd8 || file.readUInt16BE(file.length - 2) !== 0xffd9)
    throw new Error("no JPEG");
  let size: { width: number; height: number } | undefined;
  let at = 2;
  while (file.readUInt16BE(at) !== 0xffda) {
    if (file[at] !== 0xff) throw new Error(`no marker at ${at}`);
    if (file[at + 1] === 0xc0)
      size = { height: file.readUInt16BE(at + 5), width: file.readUInt16BE(at + 7) };
    at += 2 + file.readUInt16BE(at + 2);
  }
  if (!size) throw new Error("no frame");
  return size;
}

/** Size of a lossless WebP from its image chunk. Walks every chunk to the end of the file. */
export function webpSize(file: Buffer): { width: number; height: number } {
  if (file.toString("latin1", 0, 4) !== "RIFF" || file.toString("latin1", 8, 12) !== "WEBP")
    throw new Error("no WebP");
  if (file.readUInt32LE(4) !== file.length - 8) throw new Error("length of the file");
  let size: { width: number; height: number } | undefined;
  let at = 12;
  while (at < file.length) {
    if (file.toString("latin1", at, at + 4) === "VP8L") {
      const bits = file.readUInt32LE(at + 9);
      size = { width: (bits & 0x3fff) + 1, height: ((bits >> 14) & 0x3fff) + 1 };
    }
    const length = file.readUInt32LE(at + 4);
    at += 8 + length + (length & 1);
  }
  if (!size || at !== file.length) throw new Error("chunks");
  return size;
}
