import { expect, test } from "vitest";
import { readRateLimits } from "../../../worker/providers/rate-limits.ts";
import { readRetryAfter } from "../../../worker/providers/retry-after.ts";

function limit(unit: string, most: number, remaining: number, reset: string): [string, string][] {
  return [
    [`x-ratelimit-limit-${unit}`, String(most)],
    [`x-ratelimit-remaining-${unit}`, String(remaining)],
    [`x-ratelimit-reset-${unit}`, reset],
  ];
}

test("limits of a minute are read from an answer's headers", () => {
  const headers = new Headers([
    ...limit("images", 600, 300, "30s"),
    ...limit("requests", 50, 49, "1.2s"),
  ]);
  expect(readRateLimits(headers)).toEqual({ imagesPerMinute: 600, requestsPerMinute: 50 });
  expect(readRateLimits(new Headers(limit("images", 600, 599, "20ms")))).toBeUndefined();
  expect(readRateLimits(new Headers(limit("images", 600, 598, "150ms")))).toEqual({
    imagesPerMinute: 600,
  });
});

test("limits of an hour, of nothing used, without a reset, or that are no numbers are not believed", () => {
  expect(readRateLimits(new Headers(limit("requests", 5_000, 4_000, "12m")))).toBeUndefined();
  expect(readRateLimits(new Headers(limit("images", 600, 600, "0ms")))).toBeUndefined();
  expect(readRateLimits(new Headers(limit("images", 600, 300, "")))).toBeUndefined();
  expect(readRateLimits(new Headers(limit("images", NaN, 300, "30s")))).toBeUndefined();
  expect(readRateLimits(new Headers())).toBeUndefined();
});

test("a refusal that says nothing else is believed in when its limit is free again", () => {
  const headers = new Headers([
    ...limit("requests", 50, 0, "1m2.5s"),
    ...limit("images", 50, 0, "20s"),
    ...limit("tokens", 50, 10, "1s"),
  ]);
  expect(readRetryAfter(headers, "too many")).toBe(20_000);
  expect(readRetryAfter(headers, "Please try again in 3s.")).toBe(3_000);
});
