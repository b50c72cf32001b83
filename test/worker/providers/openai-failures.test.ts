import { once } from "node:events";
import type { ServerResponse } from "node:http";
import { gzipSync } from "node:zlib";
import { expect, test } from "vitest";
import { ProviderError } from "../../../shared/failure.ts";
import { OpenAIImageGeneration } from "../../../worker/providers/openai.ts";
import { png, rejection, sendBytes, sendJson, startProvider } from "./provider-server.ts";

const base64 = png.toString("base64");

test.for<[string, (url: string) => unknown, RegExp]>([
  ["no JSON though it says so", () => "{oops", /not the JSON/],
  ["no images", () => ({ data: [] }), /holds no images: \{"data":\[\]\}/],
  [
    "another shape",
    () => ({ message: "sk-abcdefghijkl" }),
    /holds no images: \{"message":"sk-\[key\]"\}/,
  ],
  ["null", () => null, /holds no images/],
  [
    "an image that is cut short",
    () => ({ data: [{ b64_json: base64.slice(0, 2000) }] }),
    /image 1 of 1: is a PNG that/,
  ],
  ["a refused URL", () => ({ data: [{ url: "file:///etc/passwd" }] }), /scheme file:/],
])("an answer with %s is a bad_response", async ([, body, message]) => {
  const server = await startProvider((_, response) => sendJson(response, body(server.url)));
  await using model = new OpenAIImageGeneration({ model: "dall-e-3", baseUrl: server.url });
  const error = await rejection(model.agenerate("a cat"));
  expect(error).toBeInstanceOf(ProviderError);
  expect(error).toMatchObject({
    kind: "bad_response",
    message: expect.stringMatching(message),
    sent: true,
  });
});

test("an HTML page with status 200 is a bad_response that says so", async () => {
  const server = await startProvider((_, response) =>
    sendBytes(response, Buffer.from("<html>hi"), "text/html"),
  );
  await using model = new OpenAIImageGeneration({ model: "dall-e-3", baseUrl: server.url });
  expect(await rejection(model.agenerate("a cat"))).toMatchObject({
    kind: "bad_response",
    message: "the answer holds no images: it is an HTML page",
  });
});

test("images larger than the limit are refused while they arrive, in the answer and at URLs", async () => {
  const server = await startProvider(({ url, body }, response) => {
    if (url !== "/images/generations") {
      response.writeHead(200, { "content-type": "image/png" });
      const write = (): void =>
        void (response.writableEnded || response.write(Buffer.alloc(65_536), write));
      response.write(png);
      return write(); // without end
    }
    const isUrl = body["response_format"] === "url";
    return sendJson(response, {
      data: [isUrl ? { url: "/endless" } : { b64_json: "A".repeat(3_000_000) }],
    });
  });
  await using model = new OpenAIImageGeneration({
    model: "dall-e-3",
    baseUrl: server.url,
    maxImageBytes: 100_000,
  });
  expect(await rejection(model.agenerate("a cat"))).toMatchObject({
    kind: "bad_response",
    message: "the answer is larger than 1188576 bytes",
  });
  expect(
    await rejection(model.agenerate("a cat", { parameters: { response_format: "url" } })),
  ).toMatchObject({
    kind: "bad_response",
    message: "image 1 of 1: the answer is larger than 100000 bytes",
  });
});

test("an answer that does not come in time is a timeout that names the phase", async () => {
  const server = await startProvider(({ body }, response) => {
    if (body["prompt"] === "headers")
      response.writeHead(200, { "content-type": "application/json" }).write("{");
  });
  await using model = new OpenAIImageGeneration({
    model: "dall-e-3",
    baseUrl: server.url,
    timeoutMs: 100,
  });
  expect(await rejection(model.agenerate("nothing"))).toMatchObject({
    kind: "timeout",
    message: "no answer within 0.1 s (waiting for the answer)",
    sent: true,
  });
  expect(await rejection(model.agenerate("headers"))).toMatchObject({
    kind: "timeout",
    message: "no answer within 0.1 s (reading the answer)",
  });
});

test("aborting rejects with the signal's own reason, before and during a call, and ends the request", async () => {
  const arrived = Promise.withResolvers<ServerResponse>();
  const server = await startProvider((_, response) => arrived.resolve(response));
  await using model = new OpenAIImageGeneration({ model: "dall-e-3", baseUrl: server.url });
  const reason = { why: "no more" };
  const controller = new AbortController();
  const call = rejection(model.agenerate("a cat", { signal: controller.signal }));
  const closed = once(await arrived.promise, "close");
  controller.abort(reason);
  expect(await call).toBe(reason);
  await closed;
  expect(await rejection(model.agenerate("a cat", { signal: controller.signal }))).toBe(reason);
  expect(server.received).toHaveLength(1);
});

test("a refused connection is unavailable and was not sent; one that is cut was sent", async () => {
  const server = await startProvider((_, response) => void response.socket?.destroy());
  await using cut = new OpenAIImageGeneration({ model: "dall-e-3", baseUrl: server.url });
  await using refused = new OpenAIImageGeneration({
    model: "dall-e-3",
    baseUrl: "http://127.0.0.1:1/v1",
  });
  expect(await rejection(cut.agenerate("a cat"))).toMatchObject({
    kind: "unavailable",
    sent: true,
  });
  const error = await rejection(refused.agenerate("a cat"));
  expect(error).toMatchObject({ kind: "unavailable", sent: false, code: "ECONNREFUSED" });
  expect(String(error)).not.toContain("127.0.0.1");
});

test.for<[string, unknown]>([
  ["negative", -1_000_000],
  ["endless", 1e308],
  ["broken", 1.5],
])("a %s number of tokens is no usage: the budget would be counted by it", async ([, tokens]) => {
  const server = await startProvider((_, response) => {
    const usage = { input_tokens: 1, output_tokens: tokens };
    sendJson(response, { data: [{ b64_json: base64 }], usage });
  });
  await using model = new OpenAIImageGeneration({ model: "gpt-image-2", baseUrl: server.url });
  const answer = await model.agenerate("a cat");
  expect(answer.images).toHaveLength(1);
  expect(answer.usage).toBeUndefined();
});

test.for<[string, Buffer]>([
  ["is a gzip bomb", gzipSync(Buffer.alloc(20_000_000))],
  ["is not what its encoding says", Buffer.from("no gzip")],
])("a refusal whose page %s keeps its kind", async ([, page]) => {
  const server = await startProvider((_, response) => {
    response.writeHead(429, { "content-encoding": "gzip", "retry-after": "7" });
    response.end(page);
  });
  await using model = new OpenAIImageGeneration({ model: "gpt-image-2", baseUrl: server.url });
  expect(await rejection(model.agenerate("a cat"))).toMatchObject({
    kind: "rate_limited",
    status: 429,
    retryAfterMs: 7000,
  });
});

test("a refusal is classified with its request id, its wait and without the key or the base URL", async () => {
  const server = await startProvider(({ headers }, response) => {
    const message = `Slow down ${headers.authorization} at http://${headers.host}/v1 ${headers.host}: try again in 3s`;
    sendJson(response, { error: { message, type: "requests", code: "rate_limit_exceeded" } }, 429, {
      "x-request-id": "req_9",
    });
  });
  const apiKey = "my.secret/key";
  await using model = new OpenAIImageGeneration({
    model: "dall-e-3",
    baseUrl: `${server.url}/v1`,
    apiKey,
  });
  const error = await rejection(model.agenerate("a cat"));
  expect(error).toMatchObject({
    kind: "rate_limited",
    status: 429,
    code: "rate_limit_exceeded",
    requestId: "req_9",
    retryAfterMs: 3000,
    message:
      "HTTP 429 rate_limit_exceeded: Slow down Bearer [key] at [base URL] [base URL]: try again in 3s",
  });
  expect(server.received).toHaveLength(1);
});
