import { expect, test, vi } from "vitest";
import { z } from "zod";
import { startCannedServer } from "../../../testing/canned-server.ts";
import { UsageError } from "../../../shared/usage-error.ts";
import { OpenAIImageGeneration } from "../../../worker/providers/openai.ts";
import { jpeg, png, rejection, sendBytes, sendJson, startProvider } from "./provider-server.ts";

const base64 = png.toString("base64");

test("the images, revised prompt, usage and request id of an answer are kept", async () => {
  const usage = {
    input_tokens: 7,
    output_tokens: 100,
    total_tokens: 107,
    input_tokens_details: { text_tokens: 7 },
  };
  const server = await startProvider((_, response) =>
    sendJson(
      response,
      { created: 1, data: [{ b64_json: base64, revised_prompt: 'größer: "a"' }], usage },
      200,
      {
        "x-request-id": "req_1",
      },
    ),
  );
  await using model = new OpenAIImageGeneration({ model: "dall-e-3", baseUrl: `${server.url}/v1` });
  const { images, ...rest } = await model.agenerate("a cat");
  expect(images).toHaveLength(1);
  expect(png.equals(images[0]!.bytes)).toBe(true);
  expect(images[0]!.revisedPrompt).toBe('größer: "a"');
  expect(rest).toEqual({
    usage: { inputTokens: 7, outputTokens: 100, totalTokens: 107 },
    requestId: "req_1",
  });
});

test("only what was given is sent, with the key, to the images path of the base URL", async () => {
  const server = await startProvider((_, response) =>
    sendJson(response, { data: [{ b64_json: base64 }] }),
  );
  await using model = new OpenAIImageGeneration({
    model: "gpt-image-2",
    baseUrl: `${server.url}/v1`,
    apiKey: "sk-1",
  });
  await model.agenerate("a cat", {
    numGenerations: 3,
    parameters: { quality: "low", size: null },
  });
  expect(server.received).toHaveLength(1);
  expect(server.received[0]).toMatchObject({ method: "POST", url: "/v1/images/generations" });
  expect(server.received[0]!.headers.authorization).toBe("Bearer sk-1");
  expect(server.received[0]!.body).toEqual({
    model: "gpt-image-2",
    prompt: "a cat",
    n: 3,
    quality: "low",
  });
});

test("a server of one's own needs no key: then no Authorization header is sent", async () => {
  const server = await startProvider((_, response) =>
    sendJson(response, { data: [{ b64_json: base64 }] }),
  );
  await using model = new OpenAIImageGeneration({ model: "some-model", baseUrl: server.url });
  await model.agenerate("a cat");
  expect(server.received[0]!.headers.authorization).toBeUndefined();
  expect(server.received[0]!.body).toEqual({ model: "some-model", prompt: "a cat" });
});

test("base64 is asked for where URLs are the default, unless the caller chose a form", async () => {
  const server = await startProvider((_, response) =>
    sendJson(response, { data: [{ b64_json: base64 }] }),
  );
  await using model = new OpenAIImageGeneration({ model: "dall-e-3", baseUrl: server.url });
  await model.agenerate("a cat");
  await model.agenerate("a cat", { parameters: { response_format: "url" } });
  expect(server.received.map(({ body }) => body["response_format"])).toEqual(["b64_json", "url"]);
});

test("a seed goes to a model that takes one or to a server of one's own, and is told with the image", async () => {
  const server = await startProvider((_, response) =>
    sendJson(response, { data: [{ b64_json: base64 }] }),
  );
  for (const name of ["imagemill-sim-1", "some-model"]) {
    await using model = new OpenAIImageGeneration({ model: name, baseUrl: server.url });
    expect((await model.agenerate("a cat", { seed: 5 })).images[0]!.seed).toBe(5);
  }
  expect(server.received.map(({ body }) => body["seed"])).toEqual([5, 5]);
});

test("a seed for a public model that takes none is not sent, with a warning", async () => {
  const bodies: unknown[] = [];
  const answer: typeof fetch = async (_, init) => {
    bodies.push(JSON.parse(z.string().parse(init?.body)));
    return Response.json({ data: [{ b64_json: base64 }] });
  };
  await using model = new OpenAIImageGeneration({
    model: "gpt-image-2",
    apiKey: "sk-1",
    fetch: answer,
  });
  const { images, warnings } = await model.agenerate("a cat", { seed: 5 });
  expect(bodies).toEqual([{ model: "gpt-image-2", prompt: "a cat" }]);
  expect(images[0]!.seed).toBeUndefined();
  expect(warnings).toEqual(["gpt-image-2 takes no seed: it was not sent"]);
});

test("images at URLs are fetched at the same time, without the key, and through redirects", async () => {
  let waiting: (() => void)[] = [];
  const server = await startProvider(({ url }, response) => {
    if (url === "/images/generations") {
      const data = [{ url: `${server.url}/0` }, { url: "/1" }];
      return sendJson(response, { data });
    }
    if (url === "/1") return void response.writeHead(302, { location: "/moved" }).end();
    // Neither is answered before both are asked for.
    waiting.push(() => sendBytes(response, url === "/0" ? png : jpeg, "image/png"));
    if (waiting.length === 2) for (const answer of waiting.splice(0)) answer();
    return undefined;
  });
  await using model = new OpenAIImageGeneration({
    model: "gpt-image-2",
    baseUrl: server.url,
    apiKey: "sk-1",
  });
  const { images } = await model.agenerate("a cat", { numGenerations: 2 });
  expect(images.map(({ bytes }) => bytes.length)).toEqual([png.length, jpeg.length]);
  expect(
    server.received.filter(({ headers }) => headers.authorization).map(({ url }) => url),
  ).toEqual(["/images/generations"]);
});

test("connections are kept alive, for calls and for images at URLs", async () => {
  await using server = await startCannedServer(({ path }) =>
    path === "/images/generations"
      ? { body: JSON.stringify({ data: [{ url: "/0" }, { url: "/1" }] }) }
      : { headers: { "content-type": "image/png" }, body: png },
  );
  await using model = new OpenAIImageGeneration({ model: "gpt-image-2", baseUrl: server.url });
  for (let calls = 0; calls < 10; calls++) await model.agenerate("a cat", { numGenerations: 2 });
  expect(server.received).toHaveLength(30);
  expect(server.connections()).toBeLessThanOrEqual(3);
});

test("an image that cannot be had is left out with a warning, and the others are kept", async () => {
  const server = await startProvider(({ url }, response) => {
    if (url.startsWith("/html"))
      return sendBytes(response, Buffer.from("<!doctype html><p>hi"), "image/png");
    if (url.startsWith("/gone")) return sendBytes(response, Buffer.from("gone"), "text/plain", 404);
    const data = [
      { url: "/html" },
      { b64_json: base64 },
      { url: "/gone" },
      { b64_json: base64.slice(0, -400) },
      { b64_json: "not*base64" },
      { url: "http://192.0.2.1/x.png" },
      {},
    ];
    return sendJson(response, { data });
  });
  await using model = new OpenAIImageGeneration({ model: "gpt-image-2", baseUrl: server.url });
  const { images, warnings } = await model.agenerate("a cat", { numGenerations: 7 });
  expect(images).toHaveLength(1);
  expect(warnings).toEqual([
    "image 1 of 7: is not a PNG, JPEG, WebP or GIF image but an HTML page",
    "image 3 of 7: fetching it from its URL gave HTTP 404",
    "image 4 of 7: is a PNG that is cut short",
    "image 5 of 7: is not base64",
    "image 6 of 7: its URL has http on another host than the provider's: expected https",
    "image 7 of 7: has neither base64 nor a URL",
  ]);
});

test("a host of images that is briefly away is asked again", async () => {
  let asked = 0;
  const server = await startProvider(({ url }, response) => {
    if (url === "/images/generations") return sendJson(response, { data: [{ url: "/0" }] });
    return ++asked === 1
      ? sendBytes(response, Buffer.from(""), "text/plain", 503)
      : sendBytes(response, png, "image/png");
  });
  await using model = new OpenAIImageGeneration({ model: "dall-e-3", baseUrl: server.url });
  expect((await model.agenerate("a cat")).images).toHaveLength(1);
  expect(asked).toBe(2);
});

test("more images than the model makes in a call are refused before anything is sent", async () => {
  const server = await startProvider(() => {});
  await using model = new OpenAIImageGeneration({ model: "dall-e-3", baseUrl: server.url });
  for (const numGenerations of [2, 0, -1, 1.5]) {
    const error = await rejection(model.agenerate("a cat", { numGenerations }));
    expect(error).toBeInstanceOf(UsageError);
  }
  expect(server.received).toHaveLength(0);
});

test("the public service without a key is an auth failure that says how to give one", async () => {
  await using model = new OpenAIImageGeneration({ model: "gpt-image-2" });
  expect(await rejection(model.load())).toMatchObject({
    kind: "auth",
    sent: false,
    message: expect.stringMatching(/OPENAI_API_KEY.*OPENAI_BASE_URL/),
  });
});

test("unknown and wrong options are refused by name", () => {
  const wrong = { model: "dall-e-3", baseURL: "http://x" };
  expect(() => new OpenAIImageGeneration(wrong)).toThrow(
    "has no option `baseURL`, did you mean `baseUrl`?",
  );
  expect(() => new OpenAIImageGeneration({ model: "m", baseUrl: "ftp://x" })).toThrow("`baseUrl`");
  expect(() => new OpenAIImageGeneration({ model: "m", timeoutMs: 0 })).toThrow(
    "option `timeoutMs` of OpenAIImageGeneration: Too small: expected number to be >=1; got 0",
  );
});

test("a given fetch is used for everything", async () => {
  const server = await startProvider(({ url }, response) =>
    url === "/0"
      ? sendBytes(response, png, "image/png")
      : sendJson(response, { data: [{ url: "/0" }] }),
  );
  const asked: string[] = [];
  const counting: typeof fetch = (input, init) => {
    asked.push(new URL(input instanceof Request ? input.url : input).pathname);
    return fetch(input, init);
  };
  await using model = new OpenAIImageGeneration({
    model: "dall-e-3",
    baseUrl: server.url,
    fetch: counting,
  });
  expect((await model.agenerate("a cat")).images).toHaveLength(1);
  expect(asked).toEqual(["/images/generations", "/0"]);
});

test("requests go through the proxy that is given", async () => {
  const proxy = await startProvider(({ url }, response) => {
    expect(url).toBe("http://images.invalid/v1/images/generations");
    sendJson(response, { data: [{ b64_json: base64 }] });
  });
  const settings = { httpProxy: proxy.url };
  await using model = new OpenAIImageGeneration({
    model: "m",
    baseUrl: "http://images.invalid/v1",
    proxy: settings,
  });
  expect((await model.agenerate("a cat")).images).toHaveLength(1);
});

test("a base URL's user and password become a header, and its query stays", async () => {
  const server = await startProvider((_, response) =>
    sendJson(response, { data: [{ b64_json: base64 }] }),
  );
  const at = server.url.replace("//", "//some%20one:pass%3Aword@");
  await using model = new OpenAIImageGeneration({ model: "m", baseUrl: `${at}/v1?version=2` });
  await model.agenerate("a cat");
  expect(server.received[0]).toMatchObject({
    url: "/v1/images/generations?version=2",
    headers: { authorization: `Basic ${Buffer.from("some one:pass:word").toString("base64")}` },
  });
});

test("nothing that the official client finds in the environment is sent", async () => {
  vi.stubEnv("OPENAI_CUSTOM_HEADERS", "x-found: leak\nAuthorization: Bearer leak");
  vi.stubEnv("OPENAI_API_KEY", "leak");
  vi.stubEnv("OPENAI_ORG_ID", "leak");
  vi.stubEnv("OPENAI_PROJECT_ID", "leak");
  vi.stubEnv("OPENAI_BASE_URL", "http://leak.test");
  const server = await startProvider((_, response) =>
    sendJson(response, { data: [{ b64_json: base64 }] }),
  );
  await using model = new OpenAIImageGeneration({
    model: "m",
    baseUrl: server.url,
    defaultHeaders: { "X-Mine": "yes" },
  });
  await model.agenerate("a cat");
  vi.unstubAllEnvs();
  const { headers } = server.received[0]!;
  expect(headers).toMatchObject({ "x-mine": "yes" });
  expect(JSON.stringify(headers)).not.toContain("leak");
});
