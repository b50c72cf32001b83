import { z } from "zod";
import type { CallOptions, ImageGeneration } from "../../../worker/providers/image-generation.ts";
import { AsyncImageGenerationModel } from "../../../worker/providers/image-model.ts";

const Steps = z.object({ steps: z.int().min(1).default(4).describe("Steps") });

/** The whole of what a subclass has to write. */
export class Smallest extends AsyncImageGenerationModel<typeof Steps> {
  readonly parameters = Steps;
  readonly seen: unknown[] = [];

  async agenerate(input: string, call: CallOptions<{ steps: number }>): Promise<ImageGeneration> {
    this.seen.push({ input, ...call });
    return { images: [{ bytes: Buffer.from("x") }] };
  }
}
