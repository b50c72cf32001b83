import { messageOf } from "../../shared/caught.ts";
import { ProviderError } from "../../shared/failure.ts";
import { checkImage, ImageCheckError } from "../../shared/image-check.ts";
import { fetchImage, type FetchImageOptions } from "./fetch-image.ts";
import { decodeBase64 } from "./decode-base64.ts";
import type { GeneratedImage } from "./image-generation.ts";
import { safeMessage } from "./safe-message.ts";

/** An image as an answer holds it: in base64, at a URL, or as bytes. */
export interface AnsweredImage {
  base64?: string;
  url?: string;
  bytes?: Buffer;
  seed?: number;
  revisedPrompt?: string;
}

/**
 * Decodes or fetches all images of an answer at the same time and checks their bytes. One that cannot be had is left out
 * with a warning: the others have been paid for.
 * @throws ProviderError of the first image where none can be had
 */
export async function takeImages(
  answered: readonly AnsweredImage[],
  options: FetchImageOptions & { requestId?: string | undefined },
): Promise<{ images: GeneratedImage[]; warnings: string[] }> {
  const taken = await Promise.all(
    answered.map((image, i) => takeImage(image, i + 1, answered.length, options)),
  );
  const images = taken.filter(
    (image): image is GeneratedImage => !(image instanceof ProviderError),
  );
  const failures = taken.filter((image) => image instanceof ProviderError);
  if (images.length === 0 && failures[0]) throw failures[0];
  return { images, warnings: failures.map((failure) => failure.message) };
}

type TakeOptions = Parameters<typeof takeImages>[1];

async function takeImage(
  { seed, revisedPrompt, ...source }: AnsweredImage,
  place: number,
  count: number,
  options: TakeOptions,
): Promise<GeneratedImage | ProviderError> {
  try {
    const bytes = await readBytes(source, options);
    checkImage(bytes, { maxBytes: options.maxBytes });
    return {
      bytes,
      ...(seed !== undefined && { seed }),
      ...(revisedPrompt !== undefined && { revisedPrompt }),
    };
  } catch (error) {
    const kind = error instanceof ProviderError ? error.kind : "bad_response";
    const isExpected = error instanceof ProviderError || error instanceof ImageCheckError;
    if (!isExpected && !options.signal.aborted) throw error;
    const words = options.signal.aborted ? "was not fetched in time" : messageOf(error);
    const message = safeMessage(`image ${place} of ${count}: ${words}`, options.secrets);
    return new ProviderError(kind, message, { requestId: options.requestId });
  }
}

async function readBytes(
  { bytes, base64, url }: AnsweredImage,
  options: TakeOptions,
): Promise<Buffer> {
  if (bytes) return bytes;
  if (base64 !== undefined && base64 !== "") {
    const decoded = decodeBase64(base64);
    if (!decoded) throw new ProviderError("bad_response", "is not base64");
    return decoded;
  }
  if (url !== undefined && url !== "") return await fetchImage(url, options);
  throw new ProviderError("bad_response", "has neither base64 nor a URL");
}
