import { expect, test } from "vitest";
import { z } from "zod";
import { InferenceEndpointsImageGeneration } from "../../../worker/providers/huggingface.ts";
import { OpenAIImageGeneration } from "../../../worker/providers/openai.ts";
import { png, sendBytes, sendJson, startProvider } from "./provider-server.ts";

const Body = z.record(z.string(), z.unknown());

/** An OpenAI server that answers every call with one image. */
function startOpenai() {
  const data = [{ b64_json: png.toString("base64") }];
  return startProvider((_, response) => sendJson(response, { data }));
}

/** A `fetch` that notes what it is asked for. */
function notingFetch(answer: (url: string) => Response) {
  const asked: { url: string; headers: Headers; body: Record<string, unknown> }[] = [];
  const fetch: typeof globalThis.fetch = async (input, init) => {
    const url = input instanceof Request ? input.url : String(input);
    const body = typeof init?.body === "string" ? Body.parse(JSON.parse(init.body)) : {};
    asked.push({ url, headers: new Headers(init?.headers), body });
    return answer(url);
  };
  return { asked, fetch };
}

test("the gallery's parameters of dall-e-3 and dall-e-2 are sent by their own names", async () => {
  const server = await startOpenai();
  const full = { quality: "hd", size: "1792x1024", style: "natural", response_format: "b64_json" };
  await using dallE3 = new OpenAIImageGeneration({ model: "dall-e-3", baseUrl: server.url });
  await dallE3.agenerate("a cat", { parameters: full });
  await using dallE2 = new OpenAIImageGeneration({ model: "dall-e-2", baseUrl: server.url });
  await dallE2.agenerate("a cat", { numGenerations: 10, parameters: { size: "256x256" } });
  expect(server.received.map(({ body }) => body)).toEqual([
    { model: "dall-e-3", prompt: "a cat", ...full },
    { model: "dall-e-2", prompt: "a cat", n: 10, size: "256x256", response_format: "b64_json" },
  ]);
});

test("today's parameters of the API are sent to a model that takes them", async () => {
  const server = await startOpenai();
  const parameters = {
    size: "2048x1152",
    quality: "max",
    background: "transparent",
    output_format: "webp",
    output_compression: 80,
    moderation: "low",
    complexity: "high",
    user: "me",
    safety_identifier: "hash",
  };
  await using model = new OpenAIImageGeneration({
    model: "gpt-image-2.6-sunburst",
    baseUrl: server.url,
  });
  await model.agenerate("a cat", { parameters });
  expect(server.received[0]!.body).toEqual({
    model: "gpt-image-2.6-sunburst",
    prompt: "a cat",
    ...parameters,
  });
});

test("sizes, qualities and the prompt's length are checked before anything is sent", async () => {
  const server = await startOpenai();
  await using model = new OpenAIImageGeneration({ model: "dall-e-3", baseUrl: server.url });
  const ask = (parameters: Record<string, unknown>, prompt = "a cat") =>
    model.agenerate(prompt, { parameters });
  const sizes = "expected 1024x1024, 1792x1024, 1024x1792";
  await expect(ask({ size: "512x512" })).rejects.toThrow(sizes);
  await expect(ask({ quality: "high" })).rejects.toThrow("expected standard, hd");
  await expect(ask({ style: "vivd" })).rejects.toThrow("did you mean `vivid`?");
  await expect(ask({}, "x".repeat(4001))).rejects.toThrow("dall-e-3 takes 4000");
  await using dallE2 = new OpenAIImageGeneration({ model: "dall-e-2", baseUrl: server.url });
  await expect(dallE2.agenerate("x".repeat(1001))).rejects.toThrow("dall-e-2 takes 1000");
  expect(server.received).toEqual([]);
});

test("a parameter that a compatible server adds is passed on with a warning; OpenAI's own host is spared it", async () => {
  const server = await startOpenai();
  const parameters = { num_inference_steps: 4, seed: 7 };
  await using own = new OpenAIImageGeneration({ model: "dall-e-3", baseUrl: server.url });
  const { warnings } = await own.agenerate("a cat", { parameters });
  expect(server.received[0]!.body).toMatchObject(parameters);
  expect(warnings).toEqual([
    expect.stringContaining("not known to take `num_inference_steps`"),
    expect.stringContaining("not known to take `seed`"),
  ]);
  await using strict = new OpenAIImageGeneration({ model: "dall-e-3", apiKey: "sk-1" });
  await expect(strict.agenerate("a cat", { parameters })).rejects.toThrow("takes no `num_inf");
});

test("without a base URL OpenAI's own address is asked, with the key", async () => {
  const answer = { data: [{ b64_json: png.toString("base64") }] };
  const { asked, fetch } = notingFetch(() => Response.json(answer));
  await using model = new OpenAIImageGeneration({ model: "gpt-image-2", apiKey: "sk-1", fetch });
  await model.agenerate("a cat");
  expect(asked[0]!.url).toBe("https://api.openai.com/v1/images/generations");
  expect(asked[0]!.headers.get("authorization")).toBe("Bearer sk-1");
});

test("the gallery's five parameters of Inference Endpoints, seed and scheduler are sent as they are given", async () => {
  const server = await startProvider((_, response) => sendBytes(response, png, "image/png"));
  await using model = new InferenceEndpointsImageGeneration({ baseUrl: server.url });
  const parameters = {
    negative_prompt: "dogs",
    height: 512,
    width: 768,
    num_inference_steps: 4,
    guidance_scale: 3.5,
    scheduler: "EulerDiscreteScheduler",
    seed: 11,
  };
  await model.agenerate("a cat", { parameters });
  expect(server.received[0]!.body).toEqual({ inputs: "a cat", parameters });
});

test("a model of the Hub is asked for through the provider that is named, and the bill goes where it is told", async () => {
  const mapping = { live: { status: "live", providerId: "org/model", task: "text-to-image" } };
  const { asked, fetch } = notingFetch((url) =>
    url.includes("/api/models/")
      ? Response.json({
          id: "org/model",
          inferenceProviderMapping: { "hf-inference": mapping.live },
        })
      : new Response(png, { headers: { "content-type": "image/png" } }),
  );
  await using model = new InferenceEndpointsImageGeneration({
    modelId: "org/model",
    apiKey: "hf_1",
    provider: "hf-inference",
    billTo: "my-org",
    fetch,
  });
  expect((await model.agenerate("a cat")).images).toHaveLength(1);
  const call = asked.at(-1)!;
  expect(call.url).toBe("https://router.huggingface.co/hf-inference/models/org/model");
  expect(call.headers.get("authorization")).toBe("Bearer hf_1");
  expect(call.headers.get("x-hf-bill-to")).toBe("my-org");
});
