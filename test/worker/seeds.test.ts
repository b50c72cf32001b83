import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { imageSeed } from "../../worker/seeds.ts";

describe("imageSeed", () => {
  test("never changes: the same run gives the same images in every later version", () => {
    expect([
      imageSeed(1, 0, 0),
      imageSeed(1, 0, 1),
      imageSeed(1, 1, 0),
      imageSeed(2, 0, 0),
    ]).toEqual([1_235_589_544, 440_194_630, 1_118_324_120, 1_734_163_516]);
    expect(imageSeed(2_147_483_646, 9_999_999, 49)).toBe(1_132_317_243);
  });

  test("is a whole number of 31 bits for any run, prompt and generation", () => {
    const numbers = fc.integer({ min: 0, max: 2 ** 31 - 1 });
    fc.assert(
      fc.property(numbers, numbers, fc.nat({ max: 1000 }), (run, index, generation) => {
        const seed = imageSeed(run, index, generation);
        expect(Number.isInteger(seed) && seed >= 0 && seed < 2 ** 31).toBe(true);
      }),
    );
  });

  test("is different for every image of a run of ordinary size, but for what chance brings", () => {
    const seeds = Array.from({ length: 5_000 }, (_, index) =>
      [0, 1, 2, 3].map((n) => imageSeed(42, index, n)),
    ).flat();
    // 20,000 of 2^31 drawn at random collide 0.09 times on average.
    expect(new Set(seeds).size).toBeGreaterThanOrEqual(seeds.length - 2);
    for (let index = 0; index < 100; index++) {
      expect(new Set(Array.from({ length: 50 }, (_, n) => imageSeed(42, index, n))).size).toBe(50);
    }
  });

  test("is spread evenly over its range", () => {
    const buckets = Array.from({ length: 16 }, () => 0);
    for (let index = 0; index < 16_000; index++)
      buckets[Math.floor(imageSeed(7, index, 0) / 2 ** 27)]! += 1;
    for (const count of buckets) expect(count).toBeGreaterThan(850);
  });
});
