import assert from "node:assert/strict";
import { ProviderError, type FailureKind } from "../shared/failure.ts";
import type { AsyncImageGenerationModel } from "../worker/providers/image-model.ts";
import {
  startCannedServer,
  type Behaviour,
  type CannedAnswer,
  type CannedServer,
  type ReceivedRequest,
} from "./canned-server.ts";
import { sampleImages } from "./sample-images.ts";

/** A refusal in the provider's own words, and what it has to be taken for. */
export interface RefusalCase {
  name: string;
  answer: CannedAnswer;
  kind: FailureKind;
}

/** What the suite has to know of a provider. */
export interface ProviderUnderTest {
  /** Makes the model, so that it asks this address with this key, for at most this long. */
  createModel(options: {
    baseUrl: string;
    apiKey: string;
    timeoutMs: number;
  }): AsyncImageGenerationModel;
  /** How the provider's server answers with these images. */
  answer(images: readonly Buffer[]): CannedAnswer;
  /** What a request asks for. */
  readCall(request: ReceivedRequest): { prompt: string; numGenerations: number; seed?: number };
  refusals?: readonly RefusalCase[];
}

/** One thing that every provider has to do. Its name is a fact; `run` rejects where it is not so. */
export interface ConformanceCheck {
  name: string;
  run: () => Promise<void>;
}

/** A model and the server that it asks. */
export interface ProviderStage {
  model: AsyncImageGenerationModel;
  server: CannedServer;
}

/** The key that must not show up anywhere. */
export const canaryKey = "canary-key-8f3a";

/** Sets a model up before a server that answers as it is told, by default with the images that are asked for. */
export async function onStage(
  provider: ProviderUnderTest,
  use: (stage: ProviderStage) => Promise<void>,
  options: { respond?: (request: ReceivedRequest) => Behaviour; timeoutMs?: number } = {},
): Promise<void> {
  const answerAll = (request: ReceivedRequest) =>
    provider.answer(sampleImages(provider.readCall(request).numGenerations));
  const { respond = answerAll, timeoutMs = 20_000 } = options;
  await using server = await startCannedServer(respond);
  await using model = provider.createModel({ baseUrl: server.url, apiKey: canaryKey, timeoutMs });
  await use({ model, server });
}

/** One call as `generate` and workers make it: checked, then sent. */
export async function callOnce(
  model: AsyncImageGenerationModel,
  prompt: string,
  options: Parameters<AsyncImageGenerationModel["checkCall"]>[1] = {},
) {
  return await model.agenerate(prompt, model.checkCall(prompt, options).call);
}

/** The ProviderError that a call comes to; it must be of one of these kinds. */
export async function failureOf(
  call: Promise<unknown>,
  ...kinds: FailureKind[]
): Promise<ProviderError> {
  const error = await reasonOf(call);
  assert.ok(error instanceof ProviderError, `Expected a ProviderError, got ${String(error)}`);
  assert.ok(
    kinds.includes(error.kind),
    `Expected the kind ${kinds.join(" or ")}, got ${error.kind}: ${error.message}`,
  );
  return error;
}

/** What a promise is rejected with. */
export async function reasonOf(promise: Promise<unknown>): Promise<unknown> {
  return await promise.then(
    () => assert.fail("Expected a failure, but the call succeeded"),
    (error: unknown) => error,
  );
}
