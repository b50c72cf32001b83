import { AssertionError } from "node:assert";
import { describe, expect, test } from "vitest";
import { z } from "zod";
import { WebuiImageGeneration } from "../../../examples/own-provider.ts";
import type { ReceivedRequest } from "../../../testing/canned-server.ts";
import { providerConformance } from "../../../testing/provider-conformance.ts";
import type { ProviderUnderTest } from "../../../testing/provider-under-test.ts";
import { InferenceEndpointsImageGeneration } from "../../../worker/providers/huggingface.ts";
import { OpenAIImageGeneration } from "../../../worker/providers/openai.ts";
import { rejection } from "./provider-server.ts";

const json = { "content-type": "application/json" };

function readJson<T>(schema: z.ZodType<T>, { body }: ReceivedRequest): T {
  return schema.parse(JSON.parse(body));
}

function openai(model: string): ProviderUnderTest {
  const Body = z.object({ prompt: z.string(), n: z.int().default(1), seed: z.int().optional() });
  return {
    createModel: (options) => new OpenAIImageGeneration({ model, ...options }),
    answer: (images) => ({
      headers: json,
      body: JSON.stringify({
        data: images.map((image) => ({ b64_json: image.toString("base64") })),
      }),
    }),
    readCall: (request) => {
      const { prompt, n, seed } = readJson(Body, request);
      return { prompt, numGenerations: n, ...(seed !== undefined && { seed }) };
    },
    refusals: [
      {
        name: "a 400 of the moderation",
        answer: {
          status: 400,
          headers: json,
          body: '{"error":{"code":"moderation_blocked","message":"no"}}',
        },
        kind: "content_policy",
      },
    ],
  };
}

const huggingface: ProviderUnderTest = {
  createModel: (options) => new InferenceEndpointsImageGeneration(options),
  answer: ([image]) => ({ headers: { "content-type": "image/png" }, body: image! }),
  readCall: (request) => {
    const Body = z.object({ inputs: z.string(), parameters: z.object({ seed: z.int() }) });
    const { inputs, parameters } = readJson(Body, request);
    return { prompt: inputs, numGenerations: 1, seed: parameters.seed };
  },
  refusals: [
    {
      name: "a 503 of a model that is loading",
      answer: {
        status: 503,
        headers: json,
        body: '{"error":"Model x is currently loading","estimated_time":20}',
      },
      kind: "unavailable",
    },
  ],
};

const webui: ProviderUnderTest = {
  createModel: (options) => new WebuiImageGeneration(options),
  answer: (images) => ({
    headers: json,
    body: JSON.stringify({
      images: images.map((image) => image.toString("base64")),
      info: JSON.stringify({ all_seeds: images.map((_, i) => 77 + i) }),
    }),
  }),
  readCall: (request) => {
    const Body = z.object({ prompt: z.string(), batch_size: z.int(), seed: z.int() });
    const { prompt, batch_size: numGenerations, seed } = readJson(Body, request);
    return { prompt, numGenerations, seed };
  },
};

describe.each([
  ["OpenAI with one image a call", openai("dall-e-3")],
  ["OpenAI with ten images a call", openai("gpt-image-2")],
  ["Hugging Face", huggingface],
  ["the example's own provider", webui],
])("%s", (_, provider) => {
  test.for(providerConformance(provider))("$name", async ({ run }) => {
    await expect(run()).resolves.toBeUndefined();
  });
});

type Call = Parameters<WebuiImageGeneration["agenerate"]>[1];
type Answer = ReturnType<WebuiImageGeneration["agenerate"]>;

/** The example's provider, with something wrong in how it makes a call. */
function broken(change: (call: () => Answer, options: Call) => Answer): ProviderUnderTest {
  class Broken extends WebuiImageGeneration {
    override agenerate(prompt: string, call: Call) {
      return change(() => super.agenerate(prompt, call), call);
    }
  }
  return { ...webui, createModel: (options) => new Broken(options) };
}

test.for<[string, ProviderUnderTest, string]>([
  [
    "tries again by itself",
    broken((call) => call().catch(call)),
    "HTTP 500 is unavailable, and is asked once",
  ],
  [
    "throws errors of its own",
    broken((call) =>
      call().catch(() => {
        throw new Error("no");
      }),
    ),
    "HTTP 401 is auth, and is asked once",
  ],
  [
    "turns its images round",
    broken(async (call) => ({ images: (await call()).images.toReversed() })),
    "images come back in order, byte for byte",
  ],
  [
    "does not tell its seeds",
    broken(async (call) => ({ images: (await call()).images.map(({ bytes }) => ({ bytes })) })),
    "a seed is sent where the model takes seeds, and images tell theirs",
  ],
  [
    "swallows an abort",
    broken((call, { signal }) =>
      call().catch((error: unknown) => {
        if (signal?.aborted) return { images: [] };
        throw error;
      }),
    ),
    "an aborted call rejects with the signal's own reason and ends its request",
  ],
])("the suite finds a provider that %s", async ([, provider, name]) => {
  const check = providerConformance(provider).find((candidate) => candidate.name === name);
  expect(await rejection(check!.run())).toBeInstanceOf(AssertionError);
});
