import { expect, test } from "vitest";
import { findModel, withPricePerImage } from "../../shared/model-registry.ts";
import { guessTokens, toldTokens } from "../../worker/token-guess.ts";

const gptImage2 = findModel("openai", "gpt-image-2");
const prompt = "x".repeat(40);
const guess = (card: typeof gptImage2, parameters: Record<string, unknown>, images = 1) =>
  guessTokens(card, { images, prompt, parameters });

test("what a size and quality takes is known where it is published, the dearest where they are left to the model", () => {
  const high = { size: "1024x1024", quality: "high" };
  expect(guess(gptImage2, high, 2)).toEqual({ tokens: 10 + 2 * 7_024, isKnown: true });
  expect(guess(gptImage2, { ...high, quality: "low" }).tokens).toBeLessThan(220);
  expect(guess(gptImage2, {})).toEqual(guess(gptImage2, high));
  // A price of one's own says nothing of tokens.
  expect(guess(withPricePerImage(gptImage2, 0.5), high)).toEqual(guess(gptImage2, high));
});

test("a model whose images' tokens nobody published is weighed by size and quality", () => {
  const model = findModel("openai", "gpt-image-2.6-sunburst");
  const [low, high] = ["low", "high"].map((quality) =>
    guess(model, { size: "1024x1024", quality }),
  );
  expect([low!.isKnown, high!.isKnown]).toEqual([false, false]);
  expect(high!.tokens).toBeGreaterThan(10 * low!.tokens);
  expect(guess(model, { quality: "max" }, 3)).toEqual({ tokens: 3_000, isKnown: false });
});

test("an answer tells the sum of its tokens, or none where it counts nothing", () => {
  expect(toldTokens({ inputTokens: 10, outputTokens: 196, totalTokens: 206 })).toBe(206);
  expect(toldTokens({ inputTokens: 10, outputTokens: 196 })).toBe(206);
  expect(toldTokens({ inputTokens: 0, outputTokens: 0, totalTokens: 0 })).toBeUndefined();
  expect(toldTokens(undefined)).toBeUndefined();
});
