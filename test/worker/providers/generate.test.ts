import { expect, test } from "vitest";
import { z } from "zod";
import { ProviderError } from "../../../shared/failure.ts";
import type { CallOptions, ImageGeneration } from "../../../worker/providers/image-generation.ts";
import { GenerationsFailed } from "../../../worker/providers/image-groups.ts";
import { AsyncImageGenerationModel } from "../../../worker/providers/image-model.ts";
import { UsageError } from "../../../shared/usage-error.ts";
import { rejection } from "./provider-server.ts";

/** Draws the prompt, the seed and the place in the call as text. */
class TextModel extends AsyncImageGenerationModel {
  override readonly modelName = "text";
  override readonly maxGenerationsPerCall: number;
  readonly parameters = z.object({ seed: z.int().optional() });
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

  override async agenerate(input: string, call: CallOptions): Promise<ImageGeneration> {
    this.mostInFlight = Math.max(this.mostInFlight, ++this.inFlight);
    await new Promise((resolve) => setImmediate(resolve));
    this.inFlight--;
    if (input === "bad") throw new ProviderError("content_policy", "refused");
    const draw = (_: unknown, i: number) => ({
      bytes: Buffer.from(`${input}${call.seed ?? ""}.${i}`),
    });
    return { images: Array.from({ length: call.numGenerations }, draw) };
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
  await expect(model.generate(["a"], { seed: -1 })).rejects.toThrow("`seed`");
});

test.for<[unknown, string]>([
  [null, "Expected the options to be an object, got null"],
  [{ parameters: null }, "Expected `parameters` to be an object, got null"],
  [{ parameters: ["size"] }, "Expected `parameters` to be an object, got an array"],
  [{ parameters: "size" }, "Expected `parameters` to be an object, got string"],
  [{ signal: new AbortController() }, "Expected `signal` to be an AbortSignal, got object"],
  [{ onWarning: "log" }, "Expected `onWarning` to be a function, got string"],
])(
  "options of a wrong type are refused before anything is sent: %o",
  async ([options, message]) => {
    const model = new TextModel(1);
    // @ts-expect-error JavaScript callers do it all the same
    const error = await rejection(model.generate(["a"], options));
    expect(error).toBeInstanceOf(UsageError);
    expect(error).toMatchObject({ message });
    expect(model.mostInFlight).toBe(0);
  },
);

test("an image is kept though whoever is told of warnings throws", async () => {
  class Warning extends TextModel {
    override async agenerate(input: string, call: CallOptions) {
      return { ...(await super.agenerate(input, call)), warnings: ["slow"] };
    }
  }
  const options = {
    onWarning: () => {
      throw new Error("mine");
    },
  };
  const [outcome] = await new Warning(1).generateSettled(["a"], options);
  expect(outcome).toMatchObject({ state: "succeeded", errors: [{ message: "mine" }] });
});

test("aborting rejects with the signal's reason", async () => {
  const reason = new Error("stop");
  expect(
    await rejection(new TextModel(1).generate(["a"], { signal: AbortSignal.abort(reason) })),
  ).toBe(reason);
});

test("generateOutputs gives one group per input, whatever a call can make", async () => {
  const groups = await new TextModel(2).generateOutputs(["a", "b"], { numGenerations: 3 });
  expect(read([groups])).toEqual([
    [
      ["a.0", "a.1", "a.0"],
      ["b.0", "b.1", "b.0"],
    ],
  ]);
  expect(read([await new TextModel(1).generateOutputs(["a"])])).toEqual([[["a.0"]]]);
});

test("generateSettled tells what every input came to, in order, and throws nothing", async () => {
  const outcomes = await new TextModel(1).generateSettled(["a", "bad"], { numGenerations: 2 });
  expect(outcomes).toMatchObject([
    { input: "a", state: "succeeded", calls: [{ generations: [0] }, { generations: [1] }] },
    { input: "bad", state: "failed", images: [null, null], calls: [] },
  ]);
  expect(outcomes[0]!.images.map((image) => String(image?.bytes))).toEqual(["a.0", "a.0"]);
  expect(outcomes[1]!.errors).toHaveLength(2);
});
