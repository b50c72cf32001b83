import type { Usage } from "../../shared/result.ts";
import type { GeneratedImage, ImageGeneration } from "./image-generation.ts";

/** A call that was answered with images. */
export interface AnsweredCall {
  /** The places, from 0, of the images that it made. */
  generations: number[];
  usage?: Usage;
  requestId?: string;
}

/** What one input came to. */
export interface InputOutcome {
  input: string;
  /** `succeeded`: every image is there; `partial`: some are; `failed`: none is. */
  state: "succeeded" | "partial" | "failed";
  /** One entry per image asked for, in order; null where there is none. */
  images: (GeneratedImage | null)[];
  calls: AnsweredCall[];
  /** Why images are missing. */
  errors: unknown[];
}

/** The outcome of an input that was not asked for yet. */
export function startOutcome(input: string, numGenerations: number): InputOutcome {
  return {
    input,
    state: "failed",
    images: Array.from({ length: numGenerations }, () => null),
    calls: [],
    errors: [],
  };
}

/** Puts an answer's images in their places. Gives the places that it left empty. */
export function addAnswer(
  outcome: InputOutcome,
  generations: readonly number[],
  { images, usage, requestId }: ImageGeneration,
): number[] {
  const made = generations.slice(0, images.length);
  for (const [i, generation] of made.entries()) outcome.images[generation] = images[i]!;
  outcome.calls.push({
    generations: made,
    ...(usage && { usage }),
    ...(requestId !== undefined && { requestId }),
  });
  const missing = outcome.images.filter((image) => image === null).length;
  outcome.state =
    missing === 0 ? "succeeded" : missing < outcome.images.length ? "partial" : "failed";
  return generations.slice(made.length);
}
