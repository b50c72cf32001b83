import { expect, test } from "vitest";
import { costOfCall, priceOfCall } from "../../shared/call-price.ts";
import { findModel, listModels, withPricePerImage } from "../../shared/model-registry.ts";

function call(parameters: Record<string, unknown> = {}, images = 1) {
  return { images, prompt: "a red fox in the snow", parameters };
}

const dallE3 = findModel("openai", "dall-e-3");
const gptImage2 = findModel("openai", "gpt-image-2");

test("a price per image is that of the call's size and quality", () => {
  const usd = (parameters: Record<string, unknown>, images?: number) =>
    priceOfCall(dallE3, call(parameters, images));
  expect(usd({}, 2)).toEqual({ expectedUsd: 0.08, atMostUsd: 0.08 });
  expect(usd({ quality: "hd" })?.atMostUsd).toBe(0.08);
  expect(usd({ quality: "hd", size: "1792x1024" })?.atMostUsd).toBe(0.12);
  expect(priceOfCall(findModel("openai", "dall-e-2"), call({ size: "256x256" }))?.expectedUsd).toBe(
    0.016,
  );
});

test.for([
  ["high", "1024x1024", 7024],
  ["high", "1536x1024", 5488],
  ["high", "1792x1024", 5063],
  ["high", "3584x2048", 12_329],
] as const)("gpt-image-2 takes %s of %s: %d tokens, as OpenAI's calculator says", (row) => {
  const [quality, size, tokens] = row;
  const price = priceOfCall(gptImage2, call({ quality, size }, 10))!;
  expect(price.expectedUsd).toBeCloseTo((10 * tokens * 30) / 1e6, 3);
  expect(price.atMostUsd).toBeGreaterThan(price.expectedUsd);
});

test("where size or quality is left to the model, the most that it can cost is the dearest choice", () => {
  const auto = priceOfCall(gptImage2, call())!;
  expect(auto.expectedUsd).toBeCloseTo((1756 * 30) / 1e6, 3);
  expect(auto.atMostUsd).toBeGreaterThan((7024 * 30) / 1e6);
  const table = priceOfCall(findModel("openai", "gpt-image-1.5"), call({ quality: "low" }))!;
  expect(table.atMostUsd).toBeGreaterThan((408 * 32) / 1e6);
  expect(table.atMostUsd).toBeLessThan((1056 * 32) / 1e6);
});

test("what a call cost comes from its tokens, else from what it was expected to cost, else is unknown", () => {
  const sunburst = findModel("openai", "gpt-image-2.6-sunburst");
  const usage = { inputTokens: 1000, outputTokens: 10_000 };
  expect(costOfCall(sunburst, call(), usage)).toBeCloseTo(0.305, 9);
  expect(costOfCall(sunburst, call(), undefined)).toBeUndefined();
  const uncounted = costOfCall(gptImage2, call(), { inputTokens: 0, outputTokens: 0 });
  expect(uncounted).toBe(costOfCall(gptImage2, call(), undefined));
  expect(costOfCall(gptImage2, call({ quality: "low", size: "1024x1024" }), {})).toBeCloseTo(
    (196 * 30) / 1e6,
    3,
  );
  expect(costOfCall(dallE3, call({}, 3), undefined)).toBeCloseTo(0.12, 9);
  expect(costOfCall(findModel("huggingface", "a/b"), call(), undefined)).toBeUndefined();
});

test("a price per image that was given replaces every other one", () => {
  const given = withPricePerImage(findModel("openai", "gpt-image-2.6-sunburst"), 0.5);
  expect(priceOfCall(given, call({}, 2))?.atMostUsd).toBe(1);
  expect(costOfCall(given, call({}, 2), { outputTokens: 9 })).toBe(1);
  expect(priceOfCall(withPricePerImage(dallE3, 0), call({ quality: "hd" }))?.atMostUsd).toBe(0);
});

test("every token price says where it is from", () => {
  const priced = listModels().flatMap(({ tokenPrices }) => tokenPrices ?? []);
  expect(priced.length).toBeGreaterThan(5);
  for (const { source } of priced) expect(source).toMatch(/^https:\/\/\w/);
});
