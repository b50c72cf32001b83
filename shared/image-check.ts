import { describeBytes } from "./describe-bytes.ts";
import {
  readGif,
  readGifSize,
  readJpeg,
  readPng,
  readPngSize,
  readWebp,
  readWebpSize,
  type ImageSize,
} from "./image-formats.ts";

/** Formats that are stored as images. */
export type ImageFormat = "png" | "jpeg" | "webp" | "gif";

/** What the bytes of an image say of themselves. Width and height are in pixels. */
export interface CheckedImage {
  format: ImageFormat;
  /** File name extension without the dot. */
  extension: "png" | "jpg" | "webp" | "gif";
  mediaType: string;
  width: number;
  height: number;
}

/** Why bytes are not taken as an image. Its message begins in the middle of a sentence: "is …". */
export class ImageCheckError extends Error {
  override readonly name = "ImageCheckError";
}

/** Limits of {@link checkImage}. */
export interface ImageCaps {
  /** Default 64 MB (67,108,864): several times the largest PNG that a known model answers with. */
  maxBytes?: number;
  /** Width times height. Default 100 million: twelve times the largest size of any known model (3840x2160). */
  maxPixels?: number;
}

/** Largest image that is accepted unless another cap is given, in bytes. */
export const defaultMaxImageBytes = 64 * 1024 * 1024;
/** Most pixels that a header may announce unless another cap is given. */
const defaultMaxPixels = 100_000_000;

const formats = [
  {
    format: "png",
    extension: "png",
    magic: /^\x89PNG\r\n[^]\n/,
    read: readPng,
    readSize: readPngSize,
  },
  { format: "jpeg", extension: "jpg", magic: /^\xff\xd8\xff/, read: readJpeg, readSize: undefined },
  {
    format: "webp",
    extension: "webp",
    magic: /^RIFF[^]{4}WEBP/,
    read: readWebp,
    readSize: readWebpSize,
  },
  { format: "gif", extension: "gif", magic: /^GIF8[79]a/, read: readGif, readSize: readGifSize },
] as const;

/**
 * Refuses an image by its first bytes, while the rest is still on its way: by the signature, and by the size where the
 * format tells it within 64 bytes (all but JPEG).
 * @param head 64 bytes or more, or a whole file
 * @throws ImageCheckError with the reason
 */
export function checkHead(head: Buffer, caps: Pick<ImageCaps, "maxPixels"> = {}): void {
  const { format, readSize } = formatOf(head);
  const size = readSize?.(head);
  if (size && "width" in size) refuseSize(format, size, caps);
}

/**
 * Makes sure that the bytes are one whole PNG, JPEG, WebP or GIF image by walking its structure: no pixel is decoded, no
 * byte copied. A file that was cut anywhere is refused; padding after the end is not.
 * @throws ImageCheckError with the reason
 */
export function checkImage(bytes: Uint8Array, caps: ImageCaps = {}): CheckedImage {
  const { maxBytes = defaultMaxImageBytes } = caps;
  const view = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (view.length > maxBytes) {
    throw new ImageCheckError(`is ${view.length} bytes large, more than the limit of ${maxBytes}`);
  }
  const { format, extension, read } = formatOf(view);
  const reading = read(view);
  if ("fault" in reading)
    throw new ImageCheckError(`is a ${format.toUpperCase()} that ${reading.fault}`);
  const { width, height } = reading;
  refuseSize(format, reading, caps);
  return { format, extension, mediaType: `image/${format}`, width, height };
}

/** What {@link checkImage} finds, or why the bytes are no whole image. */
export function examineImage(bytes: Uint8Array): CheckedImage | ImageCheckError {
  try {
    return checkImage(bytes);
  } catch (error) {
    if (error instanceof ImageCheckError) return error;
    throw error;
  }
}

/** Whether the bytes are one whole image, as storage asks of what it holds. */
export function isWholeImage(bytes: Uint8Array): boolean {
  return !(examineImage(bytes) instanceof ImageCheckError);
}

function formatOf(bytes: Buffer) {
  const start = bytes.toString("latin1", 0, 12);
  const known = formats.find(({ magic }) => magic.test(start));
  if (known) return known;
  throw new ImageCheckError(`is not a PNG, JPEG, WebP or GIF image but ${describeBytes(bytes)}`);
}

/** What the image takes once it is decoded does not depend on how few bytes it has now. */
function refuseSize(
  format: ImageFormat,
  { width, height }: ImageSize,
  { maxPixels = defaultMaxPixels }: ImageCaps,
): void {
  if (width === 0 || height === 0) {
    throw new ImageCheckError(`is a ${format.toUpperCase()} of ${width}x${height} pixels`);
  }
  if (width * height > maxPixels) {
    throw new ImageCheckError(
      `is ${width}x${height} pixels large, more than the limit of ${maxPixels} pixels`,
    );
  }
}
