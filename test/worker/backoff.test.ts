import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { backoffMs } from "../../worker/backoff.ts";

describe("backoffMs", () => {
  test("doubles from one second to a minute", () => {
    const longest = [1, 2, 3, 4, 5, 6, 7, 8, 100].map((tries) => backoffMs(tries, () => 1));
    expect(longest).toEqual([1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 60_000, 60_000, 60_000]);
  });

  test("is less by up to a half, by chance", () => {
    fc.assert(
      fc.property(
        fc.nat({ max: 5_000 }),
        fc.double({ min: 0, max: 1, noNaN: true }),
        (tries, chance) => {
          const most = backoffMs(tries, () => 1);
          const wait = backoffMs(tries, () => chance);
          expect(wait).toBeGreaterThanOrEqual(most / 2);
          expect(wait).toBeLessThanOrEqual(most);
          expect(Number.isInteger(wait)).toBe(true);
        },
      ),
    );
    expect(backoffMs(3, () => 0)).toBe(2_000);
    expect(new Set(Array.from({ length: 20 }, () => backoffMs(5))).size).toBeGreaterThan(10);
  });
});
