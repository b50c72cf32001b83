import { ProviderError } from "../../shared/failure.ts";
import type { AsyncImageGenerationModel, GenerateAllOptions } from "./image-model.ts";

/** Images of one input that belong together, as base64. */
export interface ImageGroup {
  images: string[];
}

/** Some inputs could not be made into images. The others' images are in `results`. */
export class GenerationsFailed extends AggregateError {
  override readonly name = "GenerationsFailed";
  /** One entry per input, in order; what an input lacks is missing from its groups. */
  readonly results: ImageGroup[][];

  constructor(errors: unknown[], results: ImageGroup[][]) {
    const first = errors[0] instanceof Error ? errors[0].message : String(errors[0]);
    super(errors, `${errors.length} calls failed, the first with: ${first}`);
    this.results = results;
  }
}

interface Call {
  input: number;
  first: number;
  count: number;
}

/** Plans the calls for every input, makes them with limited concurrency, and groups the images by input. */
export async function generateAll(
  model: AsyncImageGenerationModel,
  inputs: readonly string[],
  options: GenerateAllOptions,
): Promise<ImageGroup[][]> {
  const { numGenerations = 1, concurrency = 10, seed, ...rest } = options;
  const most = model.maxGenerationsPerCall;
  const calls = planCalls(inputs.length, numGenerations, most);
  const made: string[][] = calls.map(() => []);
  const errors: unknown[] = [];
  const queue = calls.entries();
  const work = async () => {
    for (const [place, { input, first, count }] of queue) {
      if (options.signal?.aborted) return;
      try {
        const own = { numGenerations: count, ...(seed !== undefined && { seed: seed + first }) };
        const { images } = await model.agenerate(inputs[input]!, { ...rest, ...own });
        made[place] = images.map(({ bytes }) => asBuffer(bytes).toString("base64"));
        if (images.length < count) errors.push(tooFew(images.length, count));
      } catch (error) {
        errors.push(error);
      }
    }
  };
  await Promise.all(Array.from({ length: Math.min(concurrency, calls.length) }, work));
  options.signal?.throwIfAborted();
  const results = inputs.map((_, input) => {
    const callsEach = calls.length / inputs.length;
    return group(made.slice(input * callsEach, (input + 1) * callsEach).flat(), most);
  });
  if (errors.length > 0) throw new GenerationsFailed(errors, results);
  return results;
}

function planCalls(inputs: number, numGenerations: number, most: number): Call[] {
  const calls: Call[] = [];
  for (let input = 0; input < inputs; input++) {
    for (let first = 0; first < numGenerations; first += most) {
      calls.push({ input, first, count: Math.min(most, numGenerations - first) });
    }
  }
  return calls;
}

/** One group per input where the model can make several images in a call, else one per image. */
function group(images: string[], most: number): ImageGroup[] {
  return most > 1 ? [{ images }] : images.map((image) => ({ images: [image] }));
}

function tooFew(images: number, asked: number): ProviderError {
  return new ProviderError("bad_response", `${asked} images were asked for, ${images} came`);
}

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
