import { expect, test } from "vitest";
import { z } from "zod";
import {
  coerceParameter,
  describeParameters,
  parametersJsonSchema,
  parseParameters,
} from "../../shared/model-parameters.ts";
import { findModel, listModels } from "../../shared/model-registry.ts";
import { modelParameters } from "../../shared/parameter-schemas.ts";
import { UsageError } from "../../shared/usage-error.ts";

const dallE3 = modelParameters(findModel("openai", "dall-e-3"));
const gptImage2 = modelParameters(findModel("openai", "gpt-image-2"));
const flux = modelParameters(findModel("huggingface", "black-forest-labs/FLUX.1-schnell"));
const strict = { passThrough: false };
const lenient = { passThrough: true };

test("valid parameters come back as they are, nulls left out", () => {
  const given = { quality: "hd", size: "1792x1024", style: "vivid", user: null };
  const parsed = parseParameters(dallE3, given, strict);
  expect(parsed).toEqual({
    parameters: { quality: "hd", size: "1792x1024", style: "vivid" },
    warnings: [],
  });
  const forFlux = { width: 512, guidance_scale: 3.5, seed: 0, negative_prompt: "" };
  expect(parseParameters(flux, forFlux, strict).parameters).toEqual(forFlux);
});

test.for([
  [dallE3, { qualty: "hd" }, "unknown parameter `qualty`, did you mean `quality`?"],
  [
    dallE3,
    { quality: "high" },
    'parameter `quality` of dall-e-3: expected standard, hd; got "high"',
  ],
  [dallE3, { size: "512x512" }, "expected 1024x1024, 1792x1024, 1024x1792"],
  [
    dallE3,
    { output_format: "png" },
    "dall-e-3 takes no `output_format`; it takes size, quality, style",
  ],
  [gptImage2, { response_format: "url" }, "gpt-image-2 takes no `response_format`"],
  [gptImage2, { seed: 1 }, "gpt-image-2 takes no `seed`"],
  [gptImage2, { quality: "max" }, "expected low, medium, high, auto"],
  [gptImage2, { output_format: "svg" }, "expected png, jpeg, webp"],
  [gptImage2, { output_compression: "80" }, 'got "80"'],
  [gptImage2, { output_compression: 101 }, "<=100"],
  [
    gptImage2,
    { background: "transparent", output_format: "jpeg" },
    'needs `output_format` png or webp, not "jpeg"',
  ],
  [
    gptImage2,
    { output_compression: 50, output_format: "png" },
    "needs `output_format` jpeg or webp",
  ],
  [gptImage2, { n: 2 }, "`n` cannot be given as a parameter: use -n/--num-generations"],
  [gptImage2, { prompt: "x" }, "--prompt-column"],
  [gptImage2, { model: "x" }, "use --model"],
  [flux, { num_inference_steps: 2.5 }, "expected int"],
  [flux, { steps: 2 }, "takes no `steps`"],
  [flux, { constructor: 2 }, "takes no `constructor`"],
] as const)("%# a wrong parameter is refused by name", ([card, raw, message]) => {
  const parse = () => parseParameters(card, raw, strict);
  expect(parse).toThrow(UsageError);
  expect(parse).toThrow(message);
});

test("at a custom base URL unknown parameters pass with a warning, but known ones are still checked", () => {
  const { parameters, warnings } = parseParameters(
    dallE3,
    { seed: 4, cfg: 2, qualty: "hd" },
    lenient,
  );
  expect(parameters).toEqual({ seed: 4, cfg: 2, qualty: "hd" });
  expect(warnings).toEqual([
    "dall-e-3 is not known to take `seed`, which is sent as it is",
    "dall-e-3 is not known to take `cfg`, which is sent as it is",
    "dall-e-3 is not known to take `qualty`, which is sent as it is, did you mean `quality`?",
  ]);
  expect(() => parseParameters(dallE3, { quality: 1 }, lenient)).toThrow("`quality`");
  expect(() => parseParameters(dallE3, { n: 1 }, lenient)).toThrow("--num-generations");
});

test("gpt-image-2 takes any size by its rules", () => {
  expect(
    ["auto", "1024x1024", "1536x864", "3840x2160", "2160x3840", "3840x1280"].filter(takes),
  ).toHaveLength(6);
  expect(
    [
      "1000x1000",
      "3840x2176",
      "4096x2160",
      "3840x1264",
      "0x0",
      "1024",
      "1024X1024",
      "16x64",
    ].filter(takes),
  ).toEqual([]);
});

test("the text of a parameter becomes what its schema wants", () => {
  expect(coerceParameter(flux, "width", "512")).toBe(512);
  expect(coerceParameter(flux, "guidance_scale", "3.5")).toBe(3.5);
  expect(coerceParameter(flux, "negative_prompt", "7")).toBe("7");
  expect(coerceParameter(dallE3, "user", "true")).toBe("true");
  expect(coerceParameter(dallE3, "size", "1024x1024")).toBe("1024x1024");
  expect(coerceParameter(dallE3, "cfg", "2")).toBe(2);
  expect(coerceParameter(dallE3, "tiled", "true")).toBe(true);
  expect(coerceParameter(dallE3, "sampler", "euler")).toBe("euler");
  expect(() => coerceParameter(flux, "width", "wide")).toThrow(
    'expected a whole number; got "wide"',
  );
});

test("every parameter of every model is described", () => {
  for (const card of listModels()) {
    const help = describeParameters(modelParameters(card));
    expect(help.length).toBeGreaterThan(3);
    for (const { expected, description } of help) expect([expected, description]).not.toContain("");
  }
  expect(describeParameters(dallE3)).toContainEqual({
    name: "quality",
    expected: "standard, hd",
    description: "How much work goes into the image",
  });
  expect(describeParameters(flux)).toContainEqual(
    expect.objectContaining({ name: "width", expected: "integer from 1 to 16384" }),
  );
});

function takes(size: string): boolean {
  try {
    return parseParameters(gptImage2, { size }, strict).parameters["size"] === size;
  } catch {
    return false;
  }
}

const Own = z.object({
  steps: z.int().min(1).max(50).default(20).describe("How many steps are taken"),
  sampler: z.enum(["euler", "heun"]).describe("Which one takes them"),
});
const own = { modelName: "mine", parameters: Own };

test("a schema of one's own gives validation, defaults, help and JSON Schema", () => {
  expect(parseParameters(own, { sampler: "heun" }, strict).parameters).toEqual({
    steps: 20,
    sampler: "heun",
  });
  expect(() => parseParameters(own, {}, strict)).toThrow("mine needs the parameter `sampler`");
  expect(() => parseParameters(own, { sampler: "huen" }, strict)).toThrow(
    'expected euler, heun; got "huen", did you mean `heun`?',
  );
  expect(() => parseParameters(own, { step: 3, sampler: "heun" }, strict)).toThrow(
    "unknown parameter `step`, did you mean `steps`?",
  );
  expect(describeParameters(own)).toEqual([
    {
      name: "steps",
      expected: "integer from 1 to 50",
      description: "How many steps are taken",
      default: 20,
    },
    { name: "sampler", expected: "euler, heun", description: "Which one takes them" },
  ]);
  expect(parametersJsonSchema(own)).toMatchObject({
    type: "object",
    required: ["sampler"],
    properties: { steps: { type: "integer", default: 20, minimum: 1, maximum: 50 } },
  });
});

test("a model without parameters says so", () => {
  const none = { modelName: "plain", parameters: z.object({}) };
  expect(() => parseParameters(none, { size: 1 }, strict)).toThrow(
    "plain takes no `size`; it takes no parameters",
  );
});
