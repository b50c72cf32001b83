import { hash } from "node:crypto";
import { setTimeout as delay } from "node:timers/promises";
import { ProviderError } from "../shared/failure.ts";
import { checkImage, ImageCheckError } from "../shared/image-check.ts";
import { estimateCost } from "../shared/model-registry.ts";
import type { ImageRecord } from "../shared/result.ts";
import { imageExtensions, imagePath, StorageError, type ImageStorage } from "../shared/storage.ts";
import type { GeneratedImage, ImageGeneration } from "./providers/image-model.ts";
import type { RunContext } from "./run-contexts.ts";

/** Time between two tries to store an image that the storage refused. */
const storageRetryMs = 1_000;

function isValidImage(bytes: Uint8Array): boolean {
  try {
    checkImage(bytes);
    return true;
  } catch (error) {
    if (error instanceof ImageCheckError) return false;
    throw error;
  }
}

function describe(file: string, generation: number, bytes: Uint8Array): ImageRecord {
  const { width, height } = checkImage(bytes);
  return {
    generation,
    file,
    width,
    height,
    bytes: bytes.length,
    sha256: hash("sha256", bytes, "hex"),
  };
}

/** Checks that every image of an answer is a whole image. @throws ProviderError `bad_response` */
function checkAnswer({ images, requestId }: ImageGeneration, asked: number): void {
  if (images.length === 0)
    throw new ProviderError("bad_response", "the answer holds no image", { requestId });
  for (const [i, { bytes }] of images.slice(0, asked).entries()) {
    try {
      checkImage(bytes);
    } catch (error) {
      if (!(error instanceof ImageCheckError)) throw error;
      throw new ProviderError(
        "bad_response",
        `image ${i + 1} of ${images.length}: ${error.message}`,
        {
          requestId,
          cause: error,
        },
      );
    }
  }
}

/**
 * Stores an image. While the storage is in trouble it is kept in memory and tried again, since it has been paid for;
 * `onTrouble` is told the reason, and undefined when it is over.
 * @throws the signal's reason when the worker gives up
 */
async function storeOne(
  storage: ImageStorage,
  file: string,
  bytes: Uint8Array,
  onTrouble: (trouble: string | undefined) => void,
  signal: AbortSignal,
): Promise<Uint8Array> {
  for (let failed = false; ; failed = true) {
    try {
      const standing = await storage.put(file, bytes, isValidImage);
      if (failed) onTrouble(undefined);
      return standing ?? bytes;
    } catch (error) {
      if (!(error instanceof StorageError)) throw error;
      onTrouble(error.message);
      await delay(storageRetryMs, undefined, { signal });
    }
  }
}

function detailsOf(image: GeneratedImage): Partial<ImageRecord> {
  return {
    ...(image.seed !== undefined && { seed: image.seed }),
    ...(image.revisedPrompt !== undefined && { revisedPrompt: image.revisedPrompt }),
  };
}

/** Checks an answer's images and stores them under `generations`, in order; more images than asked for are dropped. */
export async function storeImages(
  run: RunContext,
  index: number,
  generations: readonly number[],
  answer: ImageGeneration,
  onTrouble: (trouble: string | undefined) => void,
  signal: AbortSignal,
): Promise<ImageRecord[]> {
  checkAnswer(answer, generations.length);
  const images = answer.images.slice(0, generations.length);
  const total = estimateCost(run.card, images.length, answer.usage);
  return await Promise.all(
    images.map(async (image, i) => {
      const generation = generations[i]!;
      const file = `${imagePath(index, generation)}.${checkImage(image.bytes).extension}`;
      const standing = await storeOne(run.storage, file, image.bytes, onTrouble, signal);
      return {
        ...describe(file, generation, standing),
        ...detailsOf(image),
        ...(total !== undefined && { costUsd: total / images.length }),
      };
    }),
  );
}

/** Those of the generations whose image is in storage already: after a crash nobody knows more of them than the bytes. */
export async function findStored(
  run: RunContext,
  index: number,
  generations: readonly number[],
): Promise<ImageRecord[]> {
  const cost = estimateCost(run.card, 1);
  const found = await Promise.all(
    generations.map(async (generation): Promise<ImageRecord | undefined> => {
      for (const extension of imageExtensions) {
        const file = `${imagePath(index, generation)}.${extension}`;
        const bytes = await run.storage.get(file);
        if (bytes && isValidImage(bytes)) {
          return {
            ...describe(file, generation, bytes),
            ...(cost !== undefined && { costUsd: cost }),
            recovered: true,
          };
        }
      }
      return undefined;
    }),
  );
  return found.filter((record) => record !== undefined);
}
