import { expect, test } from "vitest";
import { lowestLimits } from "../../shared/lane-limits.ts";

test("of several limits the lowest of each kind holds; where there is none, none does", () => {
  expect(
    lowestLimits([
      undefined,
      { imagesPerMinute: 60 },
      { imagesPerMinute: 30, requestsPerMinute: 100 },
      {},
    ]),
  ).toEqual({ imagesPerMinute: 30, requestsPerMinute: 100 });
  expect(lowestLimits([undefined, {}])).toEqual({});
  expect(lowestLimits([])).toEqual({});
});
