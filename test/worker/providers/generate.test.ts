import { expect, test } from "vitest";
import { ProviderError } from "../../../shared/failure.ts";
import { GenerationsFailed } from "../../../worker/providers/generate-all.ts";
import {
  AsyncImageGenerationModel,
  type GenerateOptions,
  type ImageGeneration,
} from "../../../worker/providers/image-model.ts";
import { createModel } from "../../../worker/providers/index.ts";
import { png, rejection, sendBytes, sendJson, startProvider } from "./provider-server.ts";

/** Draws the prompt, the seed and the place in the call as text. */
class TextModel extends AsyncImageGenerationModel {
  readonly modelName = "text";
  readonly maxGenerationsPerCall: number;
  loads = 0;
  inFlight = 0;
  mostInFlight = 0;

  constructor(maxGenerationsPerCall: number) {
    super();
    this.maxGenerationsPerCall = maxGenerationsPerCall;
  }

  override async load(): Promise<void> {
    this.loads++;
  }

  override async agenerate(input: string, options: GenerateOptions = {}): Promise<ImageGeneration> {
    const count = this.countGenerations(options);
    this.mostInFlight = Math.max(this.mostInFlight, ++this.inFlight);
    await new Promise((resolve) => setImmediate(resolve));
    this.inFlight--;
    if (input === "bad") throw new ProviderError("content_policy", "refused");
    const draw = (_: unknown, i: number) => ({
      bytes: Buffer.from(`${input}${options.seed ?? ""}.${i}`),
    });
    return { images: Array.from({ length: count }, draw) };
  }
}

function read(groups: { images: string[] }[][]): string[][][] {
  return groups.map((input) =>
    input.map(({ images }) => images.map((image) => Buffer.from(image, "base64").toString())),
  );
}

test("a model with several images a call gives one group per input, however the calls were split", async () => {
  expect(read(await new TextModel(10).generate(["a", "b"], { numGenerations: 3 }))).toEqual([
    [["a.0", "a.1", "a.2"]],
    [["b.0", "b.1", "b.2"]],
  ]);
  expect(read(await new TextModel(2).generate(["a"], { numGenerations: 5, seed: 7 }))).toEqual([
    [["a7.0", "a7.1", "a9.0", "a9.1", "a11.0"]],
  ]);
});

test("a model with one image a call gives one group per image, each with a seed of its own", async () => {
  expect(read(await new TextModel(1).generate(["a", "b"], { numGenerations: 3, seed: 1 }))).toEqual(
    [
      [["a1.0"], ["a2.0"], ["a3.0"]],
      [["b1.0"], ["b2.0"], ["b3.0"]],
    ],
  );
});

test("no inputs give no groups, and the model is loaded before the first call", async () => {
  const model = new TextModel(1);
  expect(await model.generate([])).toEqual([]);
  expect(model.loads).toBe(1);
});

test("no more calls are in flight than the concurrency allows", async () => {
  const model = new TextModel(1);
  await model.generate(["a", "b", "c", "d"], { numGenerations: 4, concurrency: 3 });
  expect(model.mostInFlight).toBe(3);
});

test("one failed input does not lose the others: their images are with the error", async () => {
  const error = await rejection(new TextModel(1).generate(["a", "bad", "c"]));
  expect(error).toBeInstanceOf(GenerationsFailed);
  if (!(error instanceof GenerationsFailed)) return;
  expect(read(error.results)).toEqual([[["a.0"]], [], [["c.0"]]]);
  expect(error.errors).toEqual([expect.objectContaining({ kind: "content_policy" })]);
});

test("a string instead of a list, and wrong numbers, are refused", async () => {
  const model = new TextModel(1);
  // @ts-expect-error a string is no list of strings: JavaScript callers do it all the same
  await expect(model.generate("abc")).rejects.toThrow("array of strings, got string");
  for (const numGenerations of [0, -1, 1.5]) {
    await expect(model.generate(["a"], { numGenerations })).rejects.toThrow("`numGenerations`");
  }
  await expect(model.generate(["a"], { concurrency: 0 })).rejects.toThrow("`concurrency`");
});

test("aborting rejects with the signal's reason", async () => {
  const reason = new Error("stop");
  expect(
    await rejection(new TextModel(1).generate(["a"], { signal: AbortSignal.abort(reason) })),
  ).toBe(reason);
});

test("a profile's kind decides which API is spoken", async () => {
  const server = await startProvider(({ url }, response) =>
    url.startsWith("/models/")
      ? sendBytes(response, png, "image/png")
      : sendJson(response, { data: [{ b64_json: png.toString("base64") }] }),
  );
  for (const kind of ["openai", "huggingface"] as const) {
    const profile = { name: kind, kind, baseUrl: server.url, keyVariable: "KEY" };
    await using model = createModel(profile, "org/model", { timeoutMs: 5000 });
    expect(model.modelName).toBe("org/model");
    expect((await model.agenerate("a cat")).images).toHaveLength(1);
  }
  expect(server.received.map(({ url }) => url)).toEqual([
    "/images/generations",
    "/models/org/model",
  ]);
});
