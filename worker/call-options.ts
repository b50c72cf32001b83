import type { GenerateOptions } from "./providers/image-generation.ts";
import { imageSeed } from "./seeds.ts";
import { parametersOf, type AnyWork } from "./work.ts";

/** What a call for these generations asks for. */
export function callOptions(work: AnyWork, generations: readonly number[]): GenerateOptions {
  const { seed: given, ...parameters } = parametersOf(work);
  const seed = seedOf(work, given, generations);
  return {
    numGenerations: generations.length,
    parameters,
    signal: work.lane.abandoned,
    ...(seed !== undefined && { seed }),
  };
}

/** A seed that was given counts up with the generation; else a call for one image gets one of its own. */
function seedOf(
  { run, data }: AnyWork,
  given: unknown,
  generations: readonly number[],
): number | undefined {
  const first = generations[0]!;
  if (typeof given === "number") return given + first;
  const derives = run.model.takesSeed() && generations.length === 1;
  return derives ? imageSeed(run.file.seed, data.index, first) : undefined;
}
