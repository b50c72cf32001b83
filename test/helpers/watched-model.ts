import type { z } from "zod";
import { createModel } from "../../worker/providers/index.ts";
import type { CallOptions, ImageGeneration } from "../../worker/providers/image-generation.ts";
import { AsyncImageGenerationModel } from "../../worker/providers/image-model.ts";
import type { ModelFactory } from "../../worker/run-contexts.ts";

/** What a test does at a call. What it throws is what the call comes to. */
export interface CallWatch {
  before?(prompt: string, call: CallOptions): Promise<void> | void;
  /** The provider has answered; the worker learns it when this resolves. */
  answered?(prompt: string): Promise<void> | void;
}

class WatchedModel extends AsyncImageGenerationModel {
  override readonly modelName: string;
  override readonly maxGenerationsPerCall: number;
  override readonly parameters: z.ZodObject;
  readonly #inner: AsyncImageGenerationModel;
  readonly #watch: CallWatch;

  constructor(inner: AsyncImageGenerationModel, watch: CallWatch) {
    super();
    this.modelName = inner.modelName;
    this.maxGenerationsPerCall = inner.maxGenerationsPerCall;
    this.parameters = inner.parameters;
    this.#inner = inner;
    this.#watch = watch;
  }

  override async agenerate(input: string, call: CallOptions): Promise<ImageGeneration> {
    const gaveUp = Promise.withResolvers<never>();
    gaveUp.promise.catch(() => undefined);
    call.signal?.addEventListener("abort", () => gaveUp.reject(call.signal!.reason));
    await this.#watch.before?.(input, call);
    const answer = await this.#inner.agenerate(input, call);
    await Promise.race([this.#watch.answered?.(input), gaveUp.promise]);
    return answer;
  }

  override takesSeed(): boolean {
    return this.#inner.takesSeed();
  }

  protected override passesUnknownParameters(): boolean {
    return true;
  }

  override unload(): Promise<void> {
    return this.#inner.unload();
  }
}

/** The built-in models, with somebody who watches their calls. */
export function watchedModels(watch: CallWatch): ModelFactory {
  return async (...parts) => new WatchedModel(await createModel(...parts), watch);
}

/** Holds answers back until they are released. */
export class AnswerHold implements CallWatch {
  #release = Promise.withResolvers<void>();
  /** Answers that are held back now. */
  held = 0;

  async answered(): Promise<void> {
    this.held += 1;
    await this.#release.promise;
    this.held -= 1;
  }

  release(): void {
    this.#release.resolve();
  }
}
