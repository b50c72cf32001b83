import { expect, test } from "vitest";
import { InferenceEndpointsImageGeneration } from "../../../worker/providers/huggingface.ts";
import { jpeg, png, rejection, sendBytes, sendJson, startProvider } from "./provider-server.ts";

test("a model at a base URL is asked for under its id, with the seed, and its bytes come back untouched", async () => {
  const server = await startProvider((_, response) => sendBytes(response, png, "image/jpeg"));
  await using model = new InferenceEndpointsImageGeneration({
    modelId: "org/model",
    baseUrl: `${server.url}/`,
  });
  const parameters = { guidance_scale: 3.5 };
  const { images } = await model.agenerate("a cat", { seed: 11, parameters });
  expect(png.equals(images[0]!.bytes)).toBe(true);
  expect(images[0]!.seed).toBe(11);
  expect(server.received).toHaveLength(1);
  expect(server.received[0]!.url).toBe("/models/org/model");
  expect(server.received[0]!.headers.authorization).toBeUndefined();
  expect(server.received[0]!.body).toEqual({
    inputs: "a cat",
    parameters: { guidance_scale: 3.5, seed: 11 },
  });
});

test("a base URL without a model is the endpoint itself, and gets the key and who pays", async () => {
  const server = await startProvider((_, response) => sendBytes(response, jpeg, "image/jpeg"));
  const options = { baseUrl: `${server.url}/my/endpoint`, apiKey: "hf_key", billTo: "my-org" };
  await using model = new InferenceEndpointsImageGeneration(options);
  await model.agenerate("a cat");
  expect(server.received[0]).toMatchObject({
    url: "/my/endpoint",
    headers: { authorization: "Bearer hf_key", "x-hf-bill-to": "my-org" },
  });
});

test("calls without a seed get different ones, so that no cache answers them alike, and tell them", async () => {
  const server = await startProvider((_, response) => sendBytes(response, png, "image/png"));
  await using model = new InferenceEndpointsImageGeneration({ baseUrl: server.url });
  const answers = [await model.agenerate("a cat"), await model.agenerate("a cat")];
  const sent = server.received.map(({ body }) => body["parameters"]);
  expect(sent[0]).not.toEqual(sent[1]);
  expect(answers.map(({ images }) => ({ seed: images[0]!.seed }))).toEqual(sent);
});

test.for<[string, (url: string) => unknown]>([
  ["in base64", () => ({ data: [{ b64_json: png.toString("base64") }] })],
  ["as fal-ai's URL", () => ({ images: [{ url: "/image" }] })],
  ["as replicate's URL", (url) => ({ output: [`${url}/image`] })],
])("an image that comes as JSON is taken %s", async ([, body]) => {
  const server = await startProvider(({ url }, response) =>
    url === "/image" ? sendBytes(response, png, "image/png") : sendJson(response, body(server.url)),
  );
  await using model = new InferenceEndpointsImageGeneration({ baseUrl: server.url });
  expect(png.equals((await model.agenerate("a cat")).images[0]!.bytes)).toBe(true);
});

test.for([
  [
    "text/html",
    "<html>busy",
    "image 1 of 1: is not a PNG, JPEG, WebP or GIF image but an HTML page",
  ],
  ["application/json", '{"state":"ok"}', 'the answer holds no image: {"state":"ok"}'],
] as const)("a %s answer without an image is a bad_response", async ([type, text, message]) => {
  const server = await startProvider((_, response) => sendBytes(response, Buffer.from(text), type));
  await using model = new InferenceEndpointsImageGeneration({ baseUrl: server.url });
  expect(await rejection(model.agenerate("a cat"))).toMatchObject({
    kind: "bad_response",
    message,
  });
});

test("a model that is loading is unavailable for as long as it says, and is asked once", async () => {
  const server = await startProvider((_, response) =>
    sendJson(response, { error: "Model x is currently loading", estimated_time: 20 }, 503, {
      "x-request-id": "r1",
    }),
  );
  await using model = new InferenceEndpointsImageGeneration({ baseUrl: server.url });
  expect(await rejection(model.agenerate("a cat"))).toMatchObject({
    kind: "unavailable",
    status: 503,
    retryAfterMs: 20_000,
    requestId: "r1",
    message: "HTTP 503: Model x is currently loading",
  });
  expect(server.received).toHaveLength(1);
});

test("a refused connection was not sent; a late answer is a timeout; an abort gives its reason", async () => {
  const server = await startProvider(() => {});
  await using refused = new InferenceEndpointsImageGeneration({ baseUrl: "http://127.0.0.1:1" });
  await using late = new InferenceEndpointsImageGeneration({ baseUrl: server.url, timeoutMs: 50 });
  expect(await rejection(refused.agenerate("x"))).toMatchObject({
    kind: "unavailable",
    sent: false,
  });
  expect(await rejection(late.agenerate("x"))).toMatchObject({ kind: "timeout", sent: true });
  expect(await rejection(late.agenerate("x", { signal: AbortSignal.abort("stop") }))).toBe("stop");
});

test("a named endpoint is looked up once with the key, and called at its URL", async () => {
  const server = await startProvider(({ method }, response) =>
    method === "GET"
      ? sendJson(response, {
          status: { state: "running", url: `${server.url}/live` },
          model: { repository: "org/m" },
        })
      : sendBytes(response, png, "image/png"),
  );
  const endpoint = {
    endpointName: "cats",
    endpointNamespace: "me",
    apiKey: "hf_key",
    endpointsApi: server.url,
  };
  await using model = new InferenceEndpointsImageGeneration(endpoint);
  expect(model.modelName).toBe("cats");
  await Promise.all([model.agenerate("a cat"), model.agenerate("a cat")]);
  expect(model.modelName).toBe("org/m");
  expect(server.received.map(({ method, url }) => `${method} ${url}`)).toEqual([
    "GET /v2/endpoint/me/cats",
    "POST /live",
    "POST /live",
  ]);
  expect(server.received[0]!.headers.authorization).toBe("Bearer hf_key");
});

test("an endpoint that does not exist or may not be seen is named with the reason", async () => {
  const server = await startProvider((_, response) =>
    sendJson(response, { error: "no such endpoint" }, 404),
  );
  const endpoint = {
    endpointName: "cats",
    endpointNamespace: "me",
    apiKey: "hf_key",
    endpointsApi: server.url,
  };
  await using model = new InferenceEndpointsImageGeneration(endpoint);
  expect(await rejection(model.agenerate("x"))).toMatchObject({
    kind: "model_gone",
    message: "endpoint me/cats: HTTP 404: no such endpoint",
  });
});

test("one image a call: asking for more is refused, not ignored", async () => {
  await using model = new InferenceEndpointsImageGeneration({ baseUrl: "http://127.0.0.1:1" });
  await expect(model.agenerate("x", { numGenerations: 2 })).rejects.toThrow(
    "makes 1 image in a call, 2 were asked for",
  );
});

test("options that contradict each other, miss each other or are unknown are refused", async () => {
  expect(make({})).toThrow("Expected one of `modelId`, `endpointName` and `baseUrl`, got none");
  expect(make({ endpointName: "e", endpointNamespace: "n", modelId: "m" })).toThrow(
    "`endpointName` and `modelId`",
  );
  expect(make({ endpointName: "e", endpointNamespace: "n", baseUrl: "http://x" })).toThrow(
    "and `baseUrl`",
  );
  expect(make({ baseUrl: "http://x", provider: "fal-ai" })).toThrow(
    "`baseUrl` and `provider` contradict",
  );
  expect(make({ endpointNamespace: "n", modelId: "m" })).toThrow("give `endpointName`");
  expect(make({ model: "m" })).toThrow("no option `model`");
  await using misspelt = new InferenceEndpointsImageGeneration({
    modelId: "m",
    apiKey: "k",
    provider: "fal",
  });
  await expect(misspelt.load()).rejects.toThrow("unknown inference provider `fal`");
});

test("the public service without a key is an auth failure that says how to give one", async () => {
  await using model = new InferenceEndpointsImageGeneration({ modelId: "org/model" });
  expect(await rejection(model.agenerate("x"))).toMatchObject({
    kind: "auth",
    sent: false,
    message: expect.stringContaining("HF_TOKEN"),
  });
});

function make(options: object): () => InferenceEndpointsImageGeneration {
  return () => new InferenceEndpointsImageGeneration(options);
}
