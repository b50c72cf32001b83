import { hash } from "node:crypto";
import { costOfCall } from "../shared/call-price.ts";
import { ProviderError } from "../shared/failure.ts";
import {
  checkImage,
  examineImage,
  ImageCheckError,
  isWholeImage,
  type CheckedImage,
} from "../shared/image-check.ts";
import type { ImageRecord } from "../shared/result.ts";
import { imageExtensions, imagePath } from "../shared/storage.ts";
import type { GeneratedImage, ImageGeneration } from "./providers/image-generation.ts";
import { plannedCall, type AnyWork } from "./work.ts";

/** An image of an answer, and what its bytes say of themselves. */
interface WholeImage {
  image: GeneratedImage;
  checked: CheckedImage;
}

function describe(
  file: string,
  generation: number,
  bytes: Uint8Array,
  { width, height }: CheckedImage,
): ImageRecord {
  const sha256 = hash("sha256", bytes, "hex");
  return { generation, file, width, height, bytes: bytes.length, sha256 };
}

/** The whole images of an answer; one bad image must not cost its good siblings. @throws ProviderError `bad_response` */
function wholeImages({ images, requestId }: ImageGeneration): WholeImage[] {
  const whole: WholeImage[] = [];
  let flaw: ImageCheckError | undefined;
  for (const image of images) {
    const checked = examineImage(image.bytes);
    if (checked instanceof ImageCheckError) flaw ??= checked;
    else whole.push({ image, checked });
  }
  if (whole.length > 0) return whole;
  const reason = flaw
    ? `no image of ${images.length} is whole: ${flaw.message}`
    : "the answer holds no image";
  throw new ProviderError("bad_response", reason, { requestId, cause: flaw });
}

/** Asks the storage of the job's run until it works. @throws AbortError when the worker gives up */
function insist<T>({ lane, data, job }: AnyWork, work: () => Promise<T>): Promise<T> {
  return lane.storage.insist(data.run, job.id!, work);
}

function detailsOf({ seed, revisedPrompt }: GeneratedImage): Partial<ImageRecord> {
  return {
    ...(seed !== undefined && { seed }),
    ...(revisedPrompt !== undefined && { revisedPrompt }),
  };
}

/**
 * Stores an answer's images under `generations`, in order; more images than asked for are dropped.
 * @throws ProviderError `bad_response` where it holds no whole image
 */
export async function storeImages(
  work: AnyWork,
  generations: readonly number[],
  answer: ImageGeneration,
): Promise<ImageRecord[]> {
  const images = wholeImages(answer).slice(0, generations.length);
  const total = costOfAnswer(work, answer);
  return await Promise.all(
    images.map(async ({ image, checked }, i) => {
      const generation = generations[i]!;
      const file = `${imagePath(work.data.index, generation)}.${checked.extension}`;
      const standing = await insist(work, () =>
        work.run.storage.put(file, image.bytes, isWholeImage),
      );
      const costUsd = total === undefined ? undefined : total / images.length;
      work.lane.observer.imageStored(work.lane.lane, image.bytes.length, costUsd);
      return {
        ...(standing
          ? describe(file, generation, standing, checkImage(standing))
          : describe(file, generation, image.bytes, checked)),
        ...detailsOf(image),
        ...(costUsd !== undefined && { costUsd }),
      };
    }),
  );
}

/** What the provider charges for an answer, images that cannot be used included; undefined where no price is known. */
export function costOfAnswer(work: AnyWork, answer: ImageGeneration): number | undefined {
  const charged = answer.imagesAnswered ?? answer.images.length;
  return costOfCall(work.run.card, plannedCall(work, charged), answer.usage);
}

/** Those of the generations whose image is in storage: after a crash nobody knows more of them than the bytes. */
export async function findStored(
  work: AnyWork,
  generations: readonly number[],
): Promise<ImageRecord[]> {
  const costUsd = costOfCall(work.run.card, plannedCall(work, 1), undefined);
  const found = await Promise.all(generations.map((generation) => findOne(work, generation)));
  return found
    .filter((record) => record !== undefined)
    .map((record) => ({ ...record, ...(costUsd !== undefined && { costUsd }), recovered: true }));
}

async function findOne(work: AnyWork, generation: number): Promise<ImageRecord | undefined> {
  for (const extension of imageExtensions) {
    const file = `${imagePath(work.data.index, generation)}.${extension}`;
    const bytes = await insist(work, () => work.run.storage.get(file));
    const checked = bytes && examineImage(bytes);
    if (checked && !(checked instanceof ImageCheckError))
      return describe(file, generation, bytes, checked);
  }
  return undefined;
}
