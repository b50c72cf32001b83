import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { z } from "zod";
import { UsageError } from "../../../shared/usage-error.ts";
import { InferenceEndpointsImageGeneration } from "../../../worker/providers/huggingface.ts";
import { AsyncImageGenerationModel } from "../../../worker/providers/image-model.ts";
import { OpenAIImageGeneration } from "../../../worker/providers/openai.ts";
import { temporaryFolder } from "../../helpers/temporary-folder.ts";
import { png, rejection, sendJson, startProvider } from "./provider-server.ts";
import { until } from "../../helpers/until.ts";

test("the defaults are the gallery's: 6 retries, 120 s, the public address", () => {
  expect(new OpenAIImageGeneration({ model: "dall-e-3" }).dump()).toMatchObject({
    type: "OpenAIImageGeneration",
    model: "dall-e-3",
    maxRetries: 6,
    timeoutMs: 120_000,
  });
});

test("dump and fromDict make the same model again, and no secret is in between", async () => {
  const server = await startProvider((_, response) =>
    sendJson(response, { data: [{ b64_json: png.toString("base64") }] }),
  );
  const url = new URL(server.url);
  const options = {
    model: "my-model",
    apiKey: "sk-canary-1",
    baseUrl: `http://user:canary-2@${url.host}/v1`,
    defaultHeaders: { "x-secret": "canary-3" },
    proxy: { noProxy: "canary-4" },
    timeoutMs: 5000,
    maxRetries: 2,
  };
  await using model = new OpenAIImageGeneration(options);
  const text = JSON.stringify(model.dump());
  expect(text).not.toContain("canary");
  const dump = z.looseObject({ type: z.string() }).parse(JSON.parse(text));
  expect(dump).toMatchObject({ baseUrl: `http://${url.host}/v1`, timeoutMs: 5000, maxRetries: 2 });
  await using again = OpenAIImageGeneration.fromDict(dump, { apiKey: "sk-other" });
  expect(again.dump()).toEqual(model.dump());
  await again.agenerate("a cat");
  expect(server.received[0]!.headers.authorization).toBe("Bearer sk-other");
});

test("every built-in and every subclass has a dump, and that of another class is refused", () => {
  class Mine extends AsyncImageGenerationModel {
    readonly parameters = z.object({});
    agenerate = async () => ({ images: [] });
  }
  expect(Mine.fromDict(new Mine().dump())).toBeInstanceOf(Mine);
  const endpoint = { endpointName: "cats", endpointNamespace: "me", apiKey: "hf_canary" };
  const dump = new InferenceEndpointsImageGeneration(endpoint).dump();
  expect(JSON.stringify(dump)).not.toContain("canary");
  expect(InferenceEndpointsImageGeneration.fromDict(dump).dump()).toEqual(dump);
  expect(() => OpenAIImageGeneration.fromDict(dump)).toThrow(
    "Expected a dump of OpenAIImageGeneration, got one of InferenceEndpointsImageGeneration",
  );
});

test("fromEnvironment takes the key and the base URL of the environment that it is given, options first", async () => {
  const server = await startProvider((_, response) =>
    sendJson(response, { data: [{ b64_json: png.toString("base64") }] }),
  );
  const env = { OPENAI_API_KEY: "sk-env", OPENAI_BASE_URL: `${server.url}/env` };
  for (const options of [{}, { apiKey: "sk-given", baseUrl: `${server.url}/given` }]) {
    await using model = OpenAIImageGeneration.fromEnvironment(env, { model: "m", ...options });
    await model.agenerate("a cat");
  }
  expect(server.received.map(({ url, headers }) => `${url} ${headers.authorization}`)).toEqual([
    "/env/images/generations Bearer sk-env",
    "/given/images/generations Bearer sk-given",
  ]);
});

test("a variable with several base URLs is refused by a model, unless its options give one", async () => {
  const several = "http://a.test/v1, http://b.test/v1";
  const env = { OPENAI_BASE_URL: several, HF_BASE_URL: several };
  expect(() => OpenAIImageGeneration.fromEnvironment(env, { model: "m" })).toThrow(
    "OPENAI_BASE_URL holds 2 base URLs, and a model asks one server: give `baseUrl`",
  );
  expect(() => InferenceEndpointsImageGeneration.fromEnvironment(env, { modelId: "a/b" })).toThrow(
    UsageError,
  );
  const baseUrl = "http://c.test/v1";
  const given = OpenAIImageGeneration.fromEnvironment(env, { model: "m", baseUrl });
  expect(given.dump()).toMatchObject({ baseUrl });
});

test("an option that is undefined is one that is not given: the environment's counts", async () => {
  const server = await startProvider((_, response) =>
    sendJson(response, { data: [{ b64_json: png.toString("base64") }] }),
  );
  const env = { OPENAI_API_KEY: "sk-env", OPENAI_BASE_URL: server.url };
  const options = { model: "m", apiKey: undefined, baseUrl: undefined };
  await using model = OpenAIImageGeneration.fromEnvironment(env, options);
  await model.agenerate("a cat");
  expect(server.received[0]!.headers.authorization).toBe("Bearer sk-env");
});

test("Hugging Face's key comes from HF_TOKEN, else from the file of hf auth login", async () => {
  const server = await startProvider((_, response) =>
    sendJson(response, { data: [{ b64_json: png.toString("base64") }] }),
  );
  const folder = temporaryFolder();
  writeFileSync(join(folder, "token"), "hf_file\n");
  for (const env of [{ HF_TOKEN: "hf_env", HF_HOME: folder }, { HF_HOME: folder }]) {
    const source = { ...env, HF_BASE_URL: server.url };
    await using model = InferenceEndpointsImageGeneration.fromEnvironment(source, {});
    await model.agenerate("a cat");
  }
  expect(server.received.map(({ headers }) => headers.authorization)).toEqual([
    "Bearer hf_env",
    "Bearer hf_file",
  ]);
});

test("the library looks at no environment by itself", async () => {
  process.env["OPENAI_API_KEY"] = "sk-ambient";
  process.env["HF_TOKEN"] = "hf_ambient";
  try {
    for (const model of [
      new OpenAIImageGeneration({ model: "gpt-image-2" }),
      new InferenceEndpointsImageGeneration({ modelId: "org/model" }),
    ]) {
      expect(await rejection(model.load())).toMatchObject({
        kind: "auth",
        message: expect.stringContaining("fromEnvironment"),
      });
    }
  } finally {
    delete process.env["OPENAI_API_KEY"];
    delete process.env["HF_TOKEN"];
  }
});

test("generate tries again as often as maxRetries says, agenerate never", async () => {
  const server = await startProvider((_, response) =>
    sendJson(response, { error: { message: "busy" } }, 503, { "retry-after-ms": "1" }),
  );
  await using model = new OpenAIImageGeneration({
    model: "m",
    baseUrl: server.url,
    maxRetries: 2,
  });
  expect(await rejection(model.agenerate("a cat"))).toMatchObject({ kind: "unavailable" });
  expect(server.received).toHaveLength(1);
  expect((await model.generateSettled(["a cat"]))[0]!.state).toBe("failed");
  expect(server.received).toHaveLength(4);
});

test("default headers go with every request, of both providers", async () => {
  const server = await startProvider((_, response) =>
    sendJson(response, { data: [{ b64_json: png.toString("base64") }] }),
  );
  const options = { baseUrl: server.url, defaultHeaders: { "x-team": "cats" } };
  await using openai = new OpenAIImageGeneration({ model: "m", ...options });
  await using huggingface = new InferenceEndpointsImageGeneration(options);
  await openai.agenerate("a cat");
  await huggingface.agenerate("a cat");
  expect(server.received.map(({ headers }) => headers["x-team"])).toEqual(["cats", "cats"]);
});

test("a model that was unloaded opens new connections when it is used again", async () => {
  const server = await startProvider((_, response) =>
    sendJson(response, { data: [{ b64_json: png.toString("base64") }] }),
  );
  const options = { baseUrl: server.url };
  for (const model of [
    new OpenAIImageGeneration({ model: "m", ...options }),
    new InferenceEndpointsImageGeneration(options),
  ]) {
    await model.agenerate("a cat");
    await model.unload();
    expect((await model.agenerate("a cat")).images).toHaveLength(1);
    await model.unload();
  }
});

test("generate ends when its model is unloaded: no call is made again, and no other one begun", async () => {
  const server = await startProvider(() => {}); // no answer
  const model = new OpenAIImageGeneration({ model: "m", baseUrl: server.url });
  const end = model.generateSettled(["a", "b", "c"], { concurrency: 2 });
  await until(() => expect(server.received.length).toBe(2));
  await model.unload();
  for (const { state, errors } of await end) {
    expect(state).toBe("failed");
    expect(errors).toMatchObject([
      { kind: "internal", message: expect.stringContaining("the model was unloaded") },
    ]);
  }
  expect(server.received).toHaveLength(2);
});

test.for<[string, object, RegExp]>([
  [
    "a key of two lines",
    { apiKey: "sk-canary\nsk-2" },
    /`apiKey` .*: expected a key without spaces/,
  ],
  ["a key with …", { apiKey: "sk-canary…" }, /`apiKey` .*: expected a key without spaces/],
  ["a header's name", { defaultHeaders: { "x y": "canary" } }, /`defaultHeaders` .* names without/],
  ["a header's value", { defaultHeaders: { x: "canary\n" } }, /`defaultHeaders` .* of one line/],
  ["no proxies", { proxy: null }, /`proxy`/],
  ["a proxy's name", { proxy: { https: "http://canary" } }, /`proxy` .*https/],
  ["a proxy that is no URL", { proxy: { httpsProxy: "canary:3128" } }, /`proxy` .*http or https/],
  ["a host of images", { imageHosts: ["http://minio:9000"] }, /`imageHosts` .*without http/],
  ["a time that no timer can wait", { timeoutMs: 1e12 }, /`timeoutMs`/],
])("%s that cannot be used is refused at once, not tried again", ([, options, message]) => {
  const make = () => new OpenAIImageGeneration({ model: "m", ...options });
  expect(make).toThrow(UsageError);
  expect(make).toThrow(message);
  expect(make).not.toThrow(/canary/);
});

test("the line end of a key's file is no part of the key", async () => {
  const server = await startProvider(({ headers }, response) =>
    sendJson(response, { error: { message: `no ${headers.authorization?.slice(7)}` } }, 401),
  );
  const options = { model: "m", baseUrl: server.url, apiKey: "canary\n" };
  await using model = new OpenAIImageGeneration(options);
  expect(await rejection(model.agenerate("a cat"))).toMatchObject({
    message: "HTTP 401: no [key]",
  });
});

test("the value of a secret option is not shown when it is wrong", () => {
  const options: object = { model: "m", apiKey: ["sk-canary"] };
  // @ts-expect-error a key that is no string: JavaScript callers do it all the same
  const make = () => new OpenAIImageGeneration(options);
  expect(make).toThrow(UsageError);
  expect(make).toThrow(/option `apiKey` of OpenAIImageGeneration: expected string$/);
});
