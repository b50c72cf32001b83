import { describe, expect, test } from "vitest";
import { didYouMean, nearMatch } from "../../shared/near-match.ts";

describe("nearMatch", () => {
  test.each([
    ["promt", "prompt"],
    ["PROMPT", "prompt"],
    ["pormpt", "prompt"],
    ["captoin", "caption"],
    ["seeds", "seed"],
  ])("takes %s for %s", (word, meant) => {
    expect(nearMatch(word, ["seed", "caption", "prompt"])).toBe(meant);
  });

  test("finds nothing for a word that is far from all candidates", () => {
    expect(nearMatch("url", ["prompt", "caption"])).toBeUndefined();
    expect(nearMatch("prompt", [])).toBeUndefined();
  });

  test("counts a swap of neighbours as one step, so that the swap wins over two changes", () => {
    expect(nearMatch("ba", ["ccc", "ab"])).toBe("ab");
    expect(nearMatch("szie", ["suit", "size"])).toBe("size");
  });

  test("prefers the nearest, and the first of equals", () => {
    expect(nearMatch("model", ["modes", "models", "model"])).toBe("model");
    expect(nearMatch("x1", ["x2", "x3"])).toBe("x2");
  });

  test("allows more steps in long words", () => {
    expect(nearMatch("output_compresion_levl", ["output_compression_level"])).toBe(
      "output_compression_level",
    );
    expect(nearMatch("abcd", ["abxyz"])).toBeUndefined();
  });
});

describe("didYouMean", () => {
  test("is a question with the match, or nothing", () => {
    expect(didYouMean("promt", ["prompt"])).toBe(", did you mean `prompt`?");
    expect(didYouMean("url", ["prompt"])).toBe("");
  });
});
