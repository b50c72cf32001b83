import { expect, test } from "vitest";
import { z } from "zod";
import { ProviderError } from "../../../shared/failure.ts";
import type { CallOptions, ImageGeneration } from "../../../worker/providers/image-generation.ts";
import { GenerationsFailed } from "../../../worker/providers/image-groups.ts";
import { AsyncImageGenerationModel } from "../../../worker/providers/image-model.ts";
import { UsageError } from "../../../shared/usage-error.ts";
import { createModel } from "../../../worker/providers/index.ts";
import { png, rejection, sendBytes, sendJson, startProvider } from "./provider-server.ts";

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

const Steps = z.object({ steps: z.int().min(1).default(4).describe("Steps") });

/** The whole of what a subclass has to write. */
class Smallest extends AsyncImageGenerationModel<typeof Steps> {
  readonly parameters = Steps;
  readonly seen: unknown[] = [];

  async agenerate(input: string, call: CallOptions<{ steps: number }>): Promise<ImageGeneration> {
    this.seen.push({ input, ...call });
    return { images: [{ bytes: Buffer.from("x") }] };
  }
}

test("a subclass writes its parameters and agenerate: defaults are filled in and all else has one", async () => {
  await using model = new Smallest();
  expect(await model.generate(["a"])).toEqual([[{ images: ["eA=="] }]]);
  expect(model.seen).toEqual([{ input: "a", numGenerations: 1, parameters: { steps: 4 } }]);
  expect(model).toMatchObject({ modelName: "Smallest", maxGenerationsPerCall: 1, maxRetries: 6 });
});

test("wrong parameters are refused before anything is sent, with the near match", async () => {
  const model = new Smallest();
  // @ts-expect-error misspelt: JavaScript callers do it all the same
  await expect(model.generate(["a", "b"], { parameters: { step: 3 } })).rejects.toThrow(
    "unknown parameter `step`, did you mean `steps`?",
  );
  expect(model.seen).toEqual([]);
});

test("an option that does not exist is refused: it would be left out in silence", async () => {
  const model = new Smallest();
  const ask = (options: object) => model.generate(["a"], options);
  await expect(ask({ num_generations: 3 })).rejects.toThrow(
    "unknown option `num_generations`, did you mean `numGenerations`?",
  );
  await expect(ask({ steps: 3 })).rejects.toThrow(
    "`steps` is a parameter of the model: give it in `parameters`",
  );
  expect(model.seen).toEqual([]);
});

test("a prompt that is too long fails alone, unsent", async () => {
  class Short extends Smallest {
    override readonly maxPromptChars = 3;
  }
  const model = new Short();
  const [short, long] = await model.generateSettled(["a😀c", "abcd"]);
  expect(short!.state).toBe("succeeded");
  expect(long!.errors).toEqual([new UsageError("the prompt has 4 characters, Short takes 3")]);
  expect(model.seen).toHaveLength(1);
});

test("a warning is told once, and a seed that the model cannot take is not sent", async () => {
  const warnings: string[] = [];
  const model = new Smallest();
  await model.generate(["a", "b"], { seed: 5, onWarning: (text) => warnings.push(text) });
  expect(warnings).toEqual(["Smallest takes no seed: it was not sent"]);
  expect(model.seen).not.toContainEqual(expect.objectContaining({ seed: expect.anything() }));
});

/** Fails as it is told to, call by call, then draws what it is asked for. */
class Failing extends Smallest {
  override readonly maxGenerationsPerCall = 10;
  readonly failures: (ProviderError | number)[];

  constructor(failures: (ProviderError | number)[]) {
    super();
    this.failures = failures;
  }

  override async agenerate(input: string, call: CallOptions<{ steps: number }>) {
    await super.agenerate(input, call);
    const failure = this.failures.shift();
    if (failure instanceof ProviderError) throw failure;
    const length = Math.min(failure ?? Infinity, call.numGenerations);
    return { images: Array.from({ length }, () => ({ bytes: Buffer.from("x") })) };
  }

  counts(): number[] {
    return this.seen.map(
      (call) => z.object({ numGenerations: z.int() }).parse(call).numGenerations,
    );
  }
}

test("what may succeed at another try is tried again, after the time that the provider asks for", async () => {
  const busy = new ProviderError("unavailable", "busy", { retryAfterMs: 1 });
  const limited = new ProviderError("rate_limited", "slow down", { retryAfterMs: 30 });
  const model = new Failing([busy, limited]);
  const startedAt = performance.now();
  const warnings: string[] = [];
  const onWarning = (text: string) => warnings.push(text);
  expect((await model.generateOutputs(["a"], { onWarning }))[0]!.images).toHaveLength(1);
  expect(warnings).toEqual(["busy: tried again in 0.0 s", "slow down: tried again in 0.0 s"]);
  expect(performance.now() - startedAt).toBeGreaterThan(25);
  expect(model.counts()).toEqual([1, 1, 1]);
});

test("tries end with maxRetries, and a broken answer is tried three times in all", async () => {
  const busy = new ProviderError("unavailable", "busy", { retryAfterMs: 0 });
  const broken = new ProviderError("bad_response", "half an image", { retryAfterMs: 0 });
  const always = new Failing(Array.from({ length: 20 }, () => busy));
  expect((await always.generateSettled(["a"]))[0]!.errors).toEqual([busy]);
  expect(always.counts()).toHaveLength(7);
  const halves = new Failing(Array.from({ length: 20 }, () => broken));
  expect((await halves.generateSettled(["a"]))[0]!.errors).toEqual([broken]);
  expect(halves.counts()).toHaveLength(3);
});

test("images that an answer lacks are asked for again, and a call over the limit is made smaller", async () => {
  const tooMany = new ProviderError("request_exceeds_limit", "Limit 3", { imagesLimit: 3 });
  const model = new Failing([tooMany, 1]);
  expect((await model.generateOutputs(["a"], { numGenerations: 5 }))[0]!.images).toHaveLength(5);
  expect(model.counts()).toEqual([5, 3, 3, 1]);
});

test("after a refused key no further call is begun", async () => {
  const refused = new ProviderError("auth", "wrong key");
  const model = new Failing([refused]);
  const outcomes = await model.generateSettled(["a", "b", "c"], { concurrency: 1 });
  expect(outcomes.map(({ errors }) => errors)).toEqual([[refused], [refused], [refused]]);
  expect(model.counts()).toHaveLength(1);
});

test("an abort ends the wait before another try", async () => {
  const busy = new ProviderError("unavailable", "busy", { retryAfterMs: 3_600_000 });
  const model = new Failing([busy]);
  const reason = new Error("enough");
  const controller = new AbortController();
  const ended = rejection(model.generate(["a"], { signal: controller.signal }));
  await expect.poll(() => model.seen.length).toBe(1);
  controller.abort(reason);
  expect(await ended).toBe(reason);
});

test("a profile's kind decides which API is spoken", async () => {
  const server = await startProvider(({ url }, response) =>
    url.startsWith("/models/")
      ? sendBytes(response, png, "image/png")
      : sendJson(response, { data: [{ b64_json: png.toString("base64") }] }),
  );
  for (const kind of ["openai", "huggingface"] as const) {
    const profile = { name: kind, kind, baseUrl: server.url, keyVariable: "KEY" };
    await using model = await createModel(profile, "org/model", { timeoutMs: 5000 });
    expect(model.modelName).toBe("org/model");
    expect((await model.generateSettled(["a cat"]))[0]!.images).toHaveLength(1);
  }
  expect(server.received.map(({ url }) => url)).toEqual([
    "/images/generations",
    "/models/org/model",
  ]);
});
