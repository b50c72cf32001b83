import { planCalls } from "../plan.ts";
import type {
  CallOptions,
  GenerateAllOptions,
  GenerateOptions,
  ImageGeneration,
} from "./image-generation.ts";
import { addAnswer, startOutcome, type InputOutcome } from "./input-outcome.ts";
import { callWithRetries, isHopeless } from "./retry-call.ts";

/** What of a model is needed to make its images. */
export interface CallableModel {
  readonly maxGenerationsPerCall: number;
  readonly maxRetries: number;
  checkCall(input: string, options: GenerateOptions): { call: CallOptions; warnings: string[] };
  agenerate(input: string, call: CallOptions): Promise<ImageGeneration>;
}

/**
 * Plans the calls for every input and makes them with limited concurrency; each is tried again where that can help. After a
 * failure that every other call would meet as well (a refused key, no money) no further call is begun.
 * @throws the signal's reason
 */
export async function generateAll(
  model: CallableModel,
  inputs: readonly string[],
  options: GenerateAllOptions,
): Promise<InputOutcome[]> {
  const { numGenerations = 1, concurrency = 10, signal } = options;
  const outcomes = inputs.map((input) => startOutcome(input, numGenerations));
  const plans = outcomes.flatMap((outcome) =>
    planCalls([...outcome.images.keys()], model.maxGenerationsPerCall).map((generations) => ({
      outcome,
      generations,
    })),
  );
  const makeImages = imageMaker(model, options);
  const queue = plans.values();
  let hopeless: unknown;
  const work = async () => {
    for (const { outcome, generations } of queue) {
      signal?.throwIfAborted();
      try {
        if (hopeless !== undefined) throw hopeless;
        await makeImages(outcome, generations);
      } catch (error) {
        outcome.errors.push(error);
        if (isHopeless(error)) hopeless ??= error;
      }
    }
  };
  await Promise.all(Array.from({ length: Math.min(concurrency, plans.length) }, work));
  signal?.throwIfAborted();
  return outcomes;
}

/** Makes the images of one planned call into its input's outcome. */
function imageMaker(model: CallableModel, options: GenerateAllOptions) {
  const { seed: given, parameters: { seed: fixed, ...parameters } = {}, signal } = options;
  const seed = given ?? (typeof fixed === "number" ? fixed : undefined);
  const warn = onceEach(options.onWarning);
  return async (outcome: InputOutcome, generations: readonly number[]): Promise<void> => {
    const callFor = async (wanted: readonly number[]) => {
      const { call, warnings } = model.checkCall(outcome.input, {
        numGenerations: wanted.length,
        parameters,
        ...(seed !== undefined && { seed: seed + wanted[0]! }),
        ...(signal && { signal }),
      });
      warnings.forEach(warn);
      return await model.agenerate(outcome.input, call);
    };
    const made = (wanted: readonly number[], answer: ImageGeneration) => {
      const missing = addAnswer(outcome, wanted, answer);
      // After the images are safe: whoever is told may throw.
      answer.warnings?.forEach(warn);
      return missing;
    };
    await callWithRetries(generations, {
      call: callFor,
      made,
      waiting: (error, waitMs) => warn(`${error.message}: tried again in ${seconds(waitMs)} s`),
      maxRetries: model.maxRetries,
      signal,
    });
  };
}

function seconds(ms: number): string {
  return (ms / 1000).toFixed(ms < 10_000 ? 1 : 0);
}

/** Tells each text once. */
function onceEach(tell: ((text: string) => void) | undefined): (text: string) => void {
  const told = new Set<string>();
  return (text) => {
    if (told.has(text)) return;
    told.add(text);
    tell?.(text);
  };
}
