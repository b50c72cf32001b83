import { expect, test } from "vitest";
import { perMinute } from "../../cli/numbers.ts";

test("a limit a minute is any number above 0 that a profile takes", () => {
  expect(["60", "0.5", " 1e3 "].map(perMinute)).toEqual([60, 0.5, 1000]);
  for (const wrong of ["0", "-1", "", " ", "many", "NaN", "Infinity", "1e300"])
    expect(() => perMinute(wrong)).toThrow(/Expected a number above 0/);
});
