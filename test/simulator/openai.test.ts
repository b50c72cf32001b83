import OpenAI, { APIError, AuthenticationError } from "openai";
import { expect, test } from "vitest";
import { recipeOf, render } from "../../simulator/image.ts";
import { startSimulator } from "../../simulator/simulator.ts";
import type { SimulatorOptions } from "../../simulator/settings.ts";
import { decodePng, jpegSize, webpSize } from "./decode.ts";
import { askImages, errorOf, ImagesAnswer, imagesOf, post } from "./requests.ts";

async function started(options: SimulatorOptions = {}) {
  const simulator = await startSimulator(options);
  const client = new OpenAI({ baseURL: `${simulator.url}/v1`, apiKey: "sk-test", maxRetries: 0 });
  return { simulator, client, [Symbol.asyncDispose]: () => simulator.close() };
}

test("the openai client gets images, usage and a request id", async () => {
  await using s = await started();
  const { data, request_id } = await s.client.images
    .generate({ model: "gpt-image-2", prompt: "a fox", n: 3, size: "1024x512", quality: "low" })
    .withResponse();
  expect(request_id).toMatch(/^req_\w{32}$/);
  expect(data.data).toHaveLength(3);
  expect(data.usage).toMatchObject({
    input_tokens: 2,
    output_tokens: 3 * 81,
    total_tokens: 2 + 3 * 81,
  });
  const files = data.data!.map((image) => Buffer.from(image.b64_json!, "base64"));
  expect(decodePng(files[0]!)).toMatchObject({ width: 64, height: 32 });
  expect(new Set(files.map((file) => file.toString("hex"))).size).toBe(3);
});

test("dall-e models answer URLs that can be fetched, again and again the same image", async () => {
  await using s = await started();
  const { data } = await s.client.images.generate({ model: "dall-e-2", prompt: "a fox", n: 2 });
  const [first, second] = data!.map(({ url }) => url!);
  expect(first).toMatch(`${s.simulator.url}/images/`);
  const fetched = await Promise.all(
    [first!, first!, second!].map(async (url) => {
      const response = await fetch(url);
      expect(response.headers.get("content-type")).toBe("image/png");
      return Buffer.from(await response.arrayBuffer());
    }),
  );
  expect(fetched[0]!.equals(fetched[1]!)).toBe(true);
  expect(fetched[0]!.equals(fetched[2]!)).toBe(false);
  expect(decodePng(fetched[0]!).width).toBe(64);
});

test("only the last URLs are kept", async () => {
  await using s = await started({ keepUrls: 2 });
  const { data } = ImagesAnswer.parse(
    await (await askImages(s.simulator.url, { model: "dall-e-2", n: 3 })).json(),
  );
  const statuses = await Promise.all(data.map(async ({ url }) => (await fetch(url!)).status));
  expect(statuses).toEqual([404, 200, 200]);
});

test("dall-e-3 revises the prompt, and takes one image a call", async () => {
  await using s = await started();
  const { data } = await s.client.images.generate({
    model: "dall-e-3",
    prompt: 'a "quoted" fox',
    response_format: "b64_json",
  });
  expect(data![0]!.revised_prompt).toBe('A detailed picture of a "quoted" fox');
  expect(decodePng(Buffer.from(data![0]!.b64_json!, "base64")).width).toBe(64);
  for (const model of ["dall-e-3", "imagemill-sim-1"]) {
    expect(await errorOf(await askImages(s.simulator.url, { model, n: 2 }))).toMatchObject({
      status: 400,
      param: "n",
      message: "You must provide n=1 for this model.",
    });
  }
});

test("another prefix before /images/generations serves as well", async () => {
  await using s = await started();
  const response = await post(`${s.simulator.url}/proxy/openai/v9/images/generations`, {
    model: "sdxl",
    prompt: "a fox",
  });
  expect(await imagesOf(response)).toHaveLength(1);
});

test("output_format decides what is encoded", async () => {
  await using s = await started();
  const ask = async (output_format: string) =>
    (await imagesOf(await askImages(s.simulator.url, { output_format, size: "512x256" })))[0]!;
  expect(decodePng(await ask("png"))).toMatchObject({ width: 32, height: 16 });
  expect(jpegSize(await ask("jpeg"))).toMatchObject({ width: 32, height: 16 });
  expect(webpSize(await ask("webp"))).toMatchObject({ width: 32, height: 16 });
});

test("an equal prompt and seed give equal images, and image i has seed + i", async () => {
  await using s = await started();
  const ask = async (body: object) => await imagesOf(await askImages(s.simulator.url, body));
  const [one, again, other] = [
    await ask({ seed: 5, n: 2 }),
    await ask({ seed: 5, n: 2 }),
    await ask({ seed: 6 }),
  ];
  expect(again).toEqual(one);
  expect(other[0]!.equals(one[0]!)).toBe(false);
  const second = { model: "imagemill-sim", prompt: "a fox", index: 1, seed: 6, parameters: {} };
  const recipe = recipeOf({ ...second, width: 1024, height: 1024, format: "png" }, 1 / 16, 0);
  expect(one[1]!.equals(render(recipe))).toBe(true);
  expect(await ask({ seed: 5, quality: "hd" })).not.toEqual([one[0]]);
});

test("without a seed no two images of one prompt are alike", async () => {
  await using s = await started();
  const calls = await Promise.all(
    Array.from(
      { length: 50 },
      async () => await imagesOf(await askImages(s.simulator.url, { n: 4 })),
    ),
  );
  expect(new Set(calls.flat().map((image) => image.toString("hex"))).size).toBe(200);
});

test.for([
  [{ model: "gpt-image-2", response_format: "b64_json" }, "unknown_parameter", "response_format"],
  [{ model: "gpt-image-1", seed: 1 }, "unknown_parameter", "seed"],
  [{ model: "gpt-image-1", size: "512x512" }, "invalid_value", "size"],
  [{ model: "gpt-image-2", size: "1000x1000" }, "invalid_value", "size"],
  [{ model: "gpt-image-2", size: "3840x1024" }, "invalid_value", "size"],
  [{ model: "gpt-image-2", quality: "max" }, "invalid_value", "quality"],
  [{ model: "dall-e-3", size: "auto" }, "invalid_value", "size"],
  [{ size: "wide" }, "invalid_value", "size"],
  [{ n: 11 }, "integer_above_max_value", "n"],
  [{ n: 0 }, "integer_below_min_value", "n"],
  [{ n: "two" }, "invalid_type", "n"],
  [{ prompt: undefined }, "missing_required_parameter", "prompt"],
  [{ prompt: " " }, "empty_string", "prompt"],
  [{ model: "dall-e-2", prompt: "x".repeat(1_001) }, "string_above_max_length", "prompt"],
  [{ output_format: "gif" }, "invalid_value", "output_format"],
  [{ response_format: "bytes" }, "invalid_value", "response_format"],
] as const)("400 for %o: %s of %s", async ([body, code, param]) => {
  await using s = await started();
  expect(await errorOf(await askImages(s.simulator.url, body))).toMatchObject({
    status: 400,
    type: "invalid_request_error",
    code,
    param,
  });
  expect(s.simulator.ledger.summary()).toMatchObject({
    calls: 1,
    images: 0,
    billUsd: 0,
    byStatus: { 400: 1 },
  });
});

test.for([
  { model: "gpt-image-2.5-sunburst", quality: "max" },
  { model: "gpt-image-2", size: "3840x2160" },
  { model: "dall-e-2", prompt: "é".repeat(1_000) },
  { model: "sdxl", negative_prompt: "blurry", seed: 3, steps: 20 },
])("200 for %o", async (body) => {
  await using s = await started();
  expect((await askImages(s.simulator.url, body)).status).toBe(200);
});

test("a body that is not JSON is a 400", async () => {
  await using s = await started();
  const response = await fetch(`${s.simulator.url}/v1/images/generations`, {
    method: "POST",
    body: "{",
  });
  expect(await errorOf(response)).toMatchObject({ status: 400, type: "invalid_request_error" });
});

test("a wrong key is a 401 to the openai client, and the setting may change while it runs", async () => {
  await using s = await started({ apiKey: "sk-right" });
  const ask = () => s.client.images.generate({ model: "gpt-image-2", prompt: "a fox" });
  const refused = await ask().catch((error: unknown) => error);
  expect(refused).toBeInstanceOf(AuthenticationError);
  expect(refused).toMatchObject({ status: 401, code: "invalid_api_key" });
  s.simulator.settings.apiKey = "sk-test";
  expect((await ask()).data).toHaveLength(1);
  expect(s.simulator.ledger.summary().byStatus).toEqual({ 401: 1, 200: 1 });
});

test("a call without a key is told to give one", async () => {
  await using s = await started({ apiKey: "sk-right" });
  expect(await errorOf(await askImages(s.simulator.url, {}))).toMatchObject({
    status: 401,
    code: null,
  });
});

test.for([
  ["a moderated thing", "input"],
  ["a moderated-output thing", "output"],
] as const)("%s is blocked at the %s stage and costs nothing", async ([prompt, stage]) => {
  await using s = await started();
  const error = await s.client.images
    .generate({ model: "gpt-image-2", prompt })
    .catch((reason: unknown) => reason);
  expect(error).toBeInstanceOf(APIError);
  expect(error).toMatchObject({
    status: 400,
    code: "moderation_blocked",
    type: "image_generation_user_error",
    error: { moderation_details: { moderation_stage: stage } },
  });
  expect(s.simulator.ledger.billUsd).toBe(0);
});

test("a parameter can be refused, a model can be gone", async () => {
  await using s = await started({ refuseParameter: "style", goneModels: ["old"] });
  expect(await errorOf(await askImages(s.simulator.url, { style: "vivid" }))).toMatchObject({
    status: 400,
    code: "unknown_parameter",
    param: "style",
  });
  expect(await errorOf(await askImages(s.simulator.url, { model: "old" }))).toMatchObject({
    status: 404,
    code: "model_not_found",
  });
});

test("models are listed, an unknown path is a 404", async () => {
  await using s = await started();
  const names = (await s.client.models.list()).data.map(({ id }) => id);
  expect(names).toContain("gpt-image-2");
  expect(await errorOf(await fetch(`${s.simulator.url}/v1/nothing`))).toMatchObject({
    status: 404,
    code: "unknown_url",
  });
});

test("imageScale and imageBytes make real sizes", async () => {
  await using s = await started({ imageScale: 1, imageBytes: 1_000_000 });
  const [image] = await imagesOf(await askImages(s.simulator.url, { size: "256x128" }));
  expect(decodePng(image!)).toMatchObject({ width: 256, height: 128 });
  expect(Math.abs(image!.length - 1_000_000)).toBeLessThan(16);
});
