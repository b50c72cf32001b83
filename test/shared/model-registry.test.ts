import { expect, test } from "vitest";
import { findModel, inferProviderKind } from "../../shared/model-registry.ts";

const dallE3 = findModel("openai", "dall-e-3");
const gptImage2 = findModel("openai", "gpt-image-2");

test("a known model has its limits, an unknown one safe assumptions", () => {
  expect(dallE3).toMatchObject({
    known: true,
    maxGenerationsPerCall: 1,
    maxPromptChars: 4000,
    answers: "either",
  });
  expect(gptImage2).toMatchObject({
    known: true,
    maxGenerationsPerCall: 10,
    takesSeed: false,
    answers: "base64",
  });
  expect(findModel("openai", "dall-e-2")).toMatchObject({
    maxGenerationsPerCall: 10,
    shutdownOn: "2026-05-12",
  });
  expect(findModel("openai", "my-own")).toMatchObject({
    known: false,
    maxGenerationsPerCall: 1,
    maxPromptChars: 32_000,
  });
  expect(findModel("openai", "toString")).toMatchObject({ known: false, maxGenerationsPerCall: 1 });
  expect(findModel("huggingface", "a/b")).toMatchObject({
    known: false,
    maxGenerationsPerCall: 1,
    takesSeed: true,
  });
  expect(findModel("openai", "imagemill-sim-1")).toMatchObject({
    maxGenerationsPerCall: 1,
    pricePerImageUsd: 0.04,
  });
  expect(findModel("openai", "imagemill-sim-10")).toMatchObject({
    maxGenerationsPerCall: 10,
    takesSeed: true,
  });
});

test("a model's name tells its provider where it can", () => {
  expect(inferProviderKind("gpt-image-9")).toBe("openai");
  expect(inferProviderKind("imagemill-sim-1")).toBe("openai");
  expect(inferProviderKind("org/model-1.0")).toBe("huggingface");
  expect(inferProviderKind("sdxl")).toBeUndefined();
});
