import { readFileSync } from "node:fs";
import type { ServerResponse } from "node:http";
import { join } from "node:path";
import { expect, test } from "vitest";
import { startSimulator } from "../../../simulator/simulator.ts";
import { InferenceEndpointsImageGeneration } from "../../../worker/providers/huggingface.ts";
import { GenerationsFailed } from "../../../worker/providers/image-groups.ts";
import { OpenAIImageGeneration } from "../../../worker/providers/openai.ts";
import { openStage } from "../../helpers/stage.ts";
import {
  jpeg,
  png,
  rejection,
  sampleImage,
  sendBytes,
  sendJson,
  startProvider,
} from "./provider-server.ts";

// What distilabel 1.5.3 does wrong, by the fault's own name: here each is right.

test("fault 1: InferenceEndpointsImageGeneration ignores num_generations, one image comes silently", async () => {
  await using simulator = await startSimulator();
  const options = { modelId: "org/model", baseUrl: simulator.url };
  await using model = new InferenceEndpointsImageGeneration(options);
  const [groups] = await model.generate(["a cat"], { numGenerations: 3 });
  expect(groups!.map(({ images }) => images.length)).toEqual([1, 1, 1]);
  expect([...simulator.ledger.records()]).toHaveLength(3);
});

test("fault 2: dall-e-3 with n > 1 fails the batch instead of making several calls", async () => {
  await using simulator = await startSimulator();
  await using model = new OpenAIImageGeneration({ model: "dall-e-3", baseUrl: simulator.url });
  const groups = await model.generate(["a", "b"], { numGenerations: 3 });
  expect(groups.map((input) => input.length)).toEqual([3, 3]);
  expect([...simulator.ledger.records()].map(({ n }) => n)).toEqual([1, 1, 1, 1, 1, 1]);
});

test("fault 3: URLs are fetched one after another, without time limit, status check or size limit, and HTML is taken for an image", async () => {
  const asked: (() => void)[] = [];
  const answers: Record<string, (response: ServerResponse) => void> = {
    "/good": (response) => sendBytes(response, png, "image/png"),
    "/html": (response) => sendBytes(response, Buffer.from("<html>busy"), "image/png"),
    "/gone": (response) => sendBytes(response, Buffer.from("gone"), "text/plain", 404),
    "/large": (response) => sendBytes(response, Buffer.alloc(200_000, png), "image/png"),
    "/late": () => undefined,
    "/jpeg": (response) => sendBytes(response, jpeg, "image/jpeg"),
  };
  const urls = Object.keys(answers);
  const server = await startProvider(({ url }, response) => {
    if (url === "/images/generations") {
      return sendJson(response, { data: urls.map((path) => ({ url: path })) });
    }
    // Nothing is answered before everything is asked for.
    asked.push(() => answers[url]!(response));
    if (asked.length === urls.length) for (const answer of asked) answer();
    return undefined;
  });
  const options = { baseUrl: server.url, timeoutMs: 1500, maxImageBytes: 100_000 };
  await using model = new OpenAIImageGeneration({ model: "gpt-image-2", ...options });
  const { images, warnings } = await model.agenerate("a cat", { numGenerations: 6 });
  expect(images.map(({ bytes }) => Buffer.from(bytes))).toEqual([png, jpeg]);
  expect(warnings).toEqual([
    "image 2 of 6: is not a PNG, JPEG, WebP or GIF image but an HTML page",
    "image 3 of 6: fetching it from its URL gave HTTP 404",
    "image 4 of 6: the answer is larger than 100000 bytes",
    "image 5 of 6: was not fetched in time",
  ]);
});

test("fault 4: one failed input fails the whole generate, and its finished siblings are lost", async () => {
  await using simulator = await startSimulator();
  await using model = new OpenAIImageGeneration({ model: "dall-e-3", baseUrl: simulator.url });
  const error = await rejection(model.generate(["a cat", "a moderated cat", "a dog"]));
  expect(error).toBeInstanceOf(GenerationsFailed);
  expect(error).toMatchObject({
    errors: [{ kind: "content_policy" }],
    results: [[{ images: [expect.any(String)] }], [], [{ images: [expect.any(String)] }]],
  });
  const outcomes = await model.generateSettled(["a cat", "a moderated cat", "a dog"]);
  expect(outcomes.map(({ state }) => state)).toEqual(["succeeded", "failed", "succeeded"]);
});

test("fault 5: quality, style, size and response_format are sent always, even null, and GPT image models refuse that", async () => {
  const server = await startProvider((_, response) =>
    sendJson(response, { data: [{ b64_json: png.toString("base64") }] }),
  );
  await using model = new OpenAIImageGeneration({ model: "gpt-image-2", baseUrl: server.url });
  await model.agenerate("a cat");
  await model.agenerate("a cat", { parameters: { quality: "low", size: null } });
  expect(server.received.map(({ body }) => body)).toEqual([
    { model: "gpt-image-2", prompt: "a cat" },
    { model: "gpt-image-2", prompt: "a cat", quality: "low" },
  ]);
});

test("fault 6: response_format None gives no images, and nobody checks num_generations, the list of inputs or the prompt's length", async () => {
  await using simulator = await startSimulator();
  await using model = new OpenAIImageGeneration({ model: "dall-e-3", baseUrl: simulator.url });
  const none = { parameters: { response_format: null } };
  expect((await model.generateOutputs(["a cat"], none))[0]!.images).toHaveLength(1);
  const calls = simulator.ledger.calls;
  for (const numGenerations of [0, -1, 1.5])
    await expect(model.generate(["a"], { numGenerations })).rejects.toThrow("`numGenerations`");
  // @ts-expect-error a string is no list of strings: JavaScript callers do it all the same
  await expect(model.generate("a cat")).rejects.toThrow("array of strings, got string");
  await expect(model.generate(["x".repeat(4001)])).rejects.toThrow(
    "the prompt has 4001 characters, dall-e-3 takes 4000",
  );
  expect(simulator.ledger.calls).toBe(calls);
});

test("fault 7: images of equal prompts overwrite each other on disk, and RGBA as JPEG loses the batch", async () => {
  const transparent = sampleImage("alpha.webp");
  const server = await startProvider(({ body }, response) =>
    sendBytes(response, body["inputs"] === "glass" ? transparent : png, "image/jpeg"),
  );
  await using stage = await openStage();
  stage.env["HF_BASE_URL"] = server.url;
  const prompts = stage.dataset([{ prompt: "a cat" }, { prompt: "a cat" }, { prompt: "glass" }]);
  const ended = await stage.run(prompts, "--model", "org/model");
  expect(ended.summary).toMatchObject({ state: "completed", images: 3 });
  const read = (name: string) => readFileSync(join(stage.out, "images", "00000", name));
  expect(read("00000000-0.png").equals(png)).toBe(true);
  expect(read("00000001-0.png").equals(png)).toBe(true);
  expect(read("00000002-0.webp").equals(transparent)).toBe(true);
});

test("fault 8: usage and revised_prompt are thrown away, and agenerate before load is an AttributeError", async () => {
  await using simulator = await startSimulator();
  await using dallE3 = new OpenAIImageGeneration({ model: "dall-e-3", baseUrl: simulator.url });
  await using gptImage = new OpenAIImageGeneration({
    model: "gpt-image-2",
    baseUrl: simulator.url,
  });
  const { images } = await dallE3.agenerate("a cat"); // no load before it
  expect(images[0]!.revisedPrompt).toBe("A detailed picture of a cat");
  expect(await dallE3.generate(["a cat"])).toMatchObject([
    [{ revisedPrompts: ["A detailed picture of a cat"] }],
  ]);
  const [group] = await gptImage.generateOutputs(["a cat"]);
  expect(group!.usage).toMatchObject({ outputTokens: expect.any(Number) });
  await using keyless = new OpenAIImageGeneration({ model: "gpt-image-2" });
  await expect(keyless.agenerate("a cat")).rejects.toThrow(/no API key for OpenAI: pass `apiKey`/);
});

test("fault 9: repeated Hugging Face calls carry no seed", async () => {
  await using simulator = await startSimulator();
  const options = { modelId: "org/model", baseUrl: simulator.url };
  await using model = new InferenceEndpointsImageGeneration(options);
  const [outcome] = await model.generateSettled(["a cat"], { numGenerations: 4 });
  const recorded = outcome!.images.map((image) => image!.seed);
  const sent = (from: number) =>
    new Set([...simulator.ledger.records()].slice(from).map(({ seed }) => seed));
  expect(new Set(recorded).size).toBe(4);
  expect(sent(0)).toEqual(new Set(recorded));
  await model.generate(["a cat"], { numGenerations: 2, seed: 7 });
  expect(sent(4)).toEqual(new Set([7, 8]));
});
