import { assert, integer, maxSafeInteger, oneof, property } from "fast-check";
import { expect, test } from "vitest";
import { count } from "../../shared/quantity.ts";

test("a number is written as English has it", () => {
  const thousandths = integer({ min: -1e9, max: 1e9 }).map((value) => value / 1000);
  const numbers = oneof(maxSafeInteger(), integer({ min: -9999, max: 9999 }), thousandths);
  assert(
    property(numbers, (value) => {
      expect(count(value)).toBe(value.toLocaleString("en-US"));
    }),
  );
});
