import { messageOf } from "../../shared/caught.ts";
import { plural } from "../../shared/quantity.ts";
import { addUsage, type Usage } from "../../shared/result.ts";
import type { InputOutcome } from "./input-outcome.ts";

/** Images of one input that belong together, as base64. The lists have one entry per image. */
export interface ImageGroup {
  images: string[];
  /** Where the model takes seeds. */
  seeds?: (number | null)[];
  /** Where the provider told any. */
  revisedPrompts?: (string | null)[];
  /** Of the calls that made them. */
  usage?: Usage;
  requestIds?: string[];
}

/** Some inputs could not be made into images. The others' images are in `results`, and in `outcomes` as bytes. */
export class GenerationsFailed extends AggregateError {
  override readonly name = "GenerationsFailed";
  /** One entry per input, in order, grouped as by `generate`; what an input lacks is missing from its groups. */
  readonly results: ImageGroup[][];
  /** What every input came to. */
  readonly outcomes: InputOutcome[];

  constructor(outcomes: InputOutcome[], maxGenerationsPerCall: number) {
    const errors = outcomes.flatMap((outcome) => outcome.errors);
    const failed = outcomes.filter(({ state }) => state !== "succeeded").length;
    super(
      errors,
      `${failed} of ${plural(outcomes.length, "input")} failed, the first with: ${messageOf(errors[0])}`,
    );
    this.outcomes = outcomes;
    this.results = outcomes.map((outcome) => groupsOf(outcome, maxGenerationsPerCall));
  }
}

/** @throws GenerationsFailed where an input lacks an image */
export function requireAllMade(outcomes: InputOutcome[], maxGenerationsPerCall: number): void {
  if (outcomes.some(({ state }) => state !== "succeeded"))
    throw new GenerationsFailed(outcomes, maxGenerationsPerCall);
}

/** One group of all images where the model can make several in a call, else one per image. */
export function groupsOf(outcome: InputOutcome, maxGenerationsPerCall: number): ImageGroup[] {
  const made = [...outcome.images.keys()].filter((generation) => outcome.images[generation]);
  if (maxGenerationsPerCall > 1) return [groupOf(made, outcome)];
  return made.map((generation) => groupOf([generation], outcome));
}

function groupOf(generations: readonly number[], outcome: InputOutcome): ImageGroup {
  const images = generations.map((generation) => outcome.images[generation]!);
  const calls = outcome.calls.filter((call) =>
    call.generations.some((generation) => generations.includes(generation)),
  );
  const seeds = images.map(({ seed }) => seed ?? null);
  const revisedPrompts = images.map(({ revisedPrompt }) => revisedPrompt ?? null);
  const usage = calls.reduce<Usage | undefined>(
    (sum, call) => addUsage(sum, call.usage),
    undefined,
  );
  const requestIds = calls.flatMap(({ requestId }) => requestId ?? []);
  return {
    images: images.map(({ bytes }) => toBase64(bytes)),
    ...(seeds.some((seed) => seed !== null) && { seeds }),
    ...(revisedPrompts.some((prompt) => prompt !== null) && { revisedPrompts }),
    ...(usage && { usage }),
    ...(requestIds.length > 0 && { requestIds }),
  };
}

function toBase64(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("base64");
}
