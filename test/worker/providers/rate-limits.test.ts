import { expect, test } from "vitest";
import { readNamedLimit, readRateLimits } from "../../../worker/providers/rate-limits.ts";
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
    // As OpenAI sent them with a 429 of its limit on tokens.
    ...limit("tokens", 30_000, 554, "58.891s"),
  ]);
  expect(readRateLimits(headers)).toEqual({
    imagesPerMinute: 600,
    requestsPerMinute: 50,
    tokensPerMinute: 30_000,
  });
  expect(readRateLimits(new Headers(limit("images", 600, 599, "20ms")))).toBeUndefined();
  expect(readRateLimits(new Headers(limit("images", 600, 598, "150ms")))).toEqual({
    imagesPerMinute: 600,
  });
  expect(readRateLimits(new Headers(limit("input-images", 5, 4, "12s")))).toEqual({
    imagesPerMinute: 5,
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

const named = (words: string) => readNamedLimit(`HTTP 429: Rate limit reached for m ${words}`);

test("a limit is read from the words of a refusal, where they name one of a minute", () => {
  expect(named("on images per min: Limit 5, Used 3, Requested 4.")).toEqual({ imagesPerMinute: 5 });
  expect(named("on input-images per min (IPM): Limit 1,500, Used 3.")).toEqual({
    imagesPerMinute: 1_500,
  });
  expect(named("in organization o on requests per minute (RPM): Limit: 500.")).toEqual({
    requestsPerMinute: 500,
  });
  expect(named("on requests per day (RPD): Limit 200, Used 200.")).toBeUndefined();
  expect(named("in organization o on tokens per min (TPM): Limit 250000, Used 249000.")).toEqual({
    tokensPerMinute: 250_000,
  });
  expect(named("on tokens per day (TPD): Limit 100000, Used 99000.")).toBeUndefined();
  expect(named("on images per min: Limit 0")).toBeUndefined();
  expect(named("in images per min. Please try again in 12s")).toBeUndefined();
});
