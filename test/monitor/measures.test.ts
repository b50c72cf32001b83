import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { DurationHistogram } from "../../monitor/duration-histogram.ts";
import { TimeSeries } from "../../monitor/time-series.ts";

describe("a histogram of durations", () => {
  test("gives every percentile to 2 %", () => {
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: 1, max: 3_600_000 }), { minLength: 1, maxLength: 200 }),
        fc.constantFrom(0.5, 0.95, 0.99),
        (durations, share) => {
          const histogram = new DurationHistogram();
          for (const ms of durations) histogram.add(ms);
          const sorted = durations.toSorted((a, b) => a - b);
          const exact = sorted[Math.max(1, Math.ceil(share * sorted.length)) - 1]!;
          expect(Math.abs(histogram.percentile(share)! / exact - 1)).toBeLessThan(0.02);
        },
      ),
    );
    expect(new DurationHistogram().percentile(0.5)).toBeUndefined();
  });
});

describe("a time series", () => {
  test("keeps its sums and its length when time runs on", () => {
    fc.assert(
      fc.property(
        fc.array(
          fc.tuple(fc.integer({ min: 0, max: 40_000_000 }), fc.integer({ min: 0, max: 90_000 })),
          {
            maxLength: 60,
          },
        ),
        (spans) => {
          const series = new TimeSeries(0);
          for (const [from, ms] of spans) {
            series.addSpan("callMs", from, from + ms);
            series.add("images", from, 1);
          }
          const { times, sums } = series.until();
          expect(times.length).toBeLessThanOrEqual(720);
          expect(sums.images.reduce((a, b) => a + b, 0)).toBe(spans.length);
          expect(sums.callMs.reduce((a, b) => a + b, 0)).toBeCloseTo(
            spans.reduce((sum, [, ms]) => sum + ms, 0),
          );
          // Never more calls at once than there were.
          expect(Math.max(0, ...sums.callMs)).toBeLessThanOrEqual(spans.length * series.intervalMs);
        },
      ),
    );
  });

  test("puts an amount into the bucket of its time", () => {
    const series = new TimeSeries(0);
    series.add("images", 2_500, 3);
    series.addSpan("callMs", 500, 2_250);
    expect(series.until()).toMatchObject({
      times: [0, 1, 2],
      sums: { images: [0, 0, 3], callMs: [500, 1_000, 250] },
    });
    expect(series.sumSince("images", 2_000)).toBe(3);
    expect(series.sumSince("images", 3_000)).toBe(0);
  });
});
