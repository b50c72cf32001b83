import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { addUsage, type AttemptRecord, countCalls, type Usage } from "../../shared/result.ts";

const tokens = fc.option(fc.nat({ max: 1_000_000 }), { nil: undefined });
const usages = fc
  .record({ inputTokens: tokens, outputTokens: tokens, totalTokens: tokens })
  .map((usage): Usage =>
    Object.fromEntries(Object.entries(usage).filter(([, value]) => value !== undefined)),
  );
const maybeUsages = fc.option(usages, { nil: undefined });

describe("addUsage", () => {
  test("adds field by field; a field that neither knows stays unknown", () => {
    expect(addUsage({ inputTokens: 1, outputTokens: 2 }, { outputTokens: 3 })).toEqual({
      inputTokens: 1,
      outputTokens: 5,
    });
    expect(addUsage({}, {})).toEqual({});
    expect(addUsage({ totalTokens: 0 }, {})).toEqual({ totalTokens: 0 });
  });

  test("of nothing and nothing is nothing", () => {
    expect(addUsage(undefined, undefined)).toBeUndefined();
  });

  test("does not depend on order or grouping, and nothing adds nothing", () => {
    fc.assert(
      fc.property(maybeUsages, maybeUsages, maybeUsages, (a, b, c) => {
        expect(addUsage(a, b)).toEqual(addUsage(b, a));
        expect(addUsage(addUsage(a, b), c)).toEqual(addUsage(a, addUsage(b, c)));
        expect(addUsage(a, undefined)).toEqual(a);
      }),
    );
  });
});

function attempt(outcome: AttemptRecord["outcome"], sent: boolean): AttemptRecord {
  const times = { startedAt: 1, endedAt: 2 };
  return { generations: [0], ...times, worker: "w", outcome, burned: false, sent };
}

describe("countCalls", () => {
  test("counts the attempts that were sent, whatever they came to", () => {
    expect(countCalls([])).toBe(0);
    expect(
      countCalls([
        attempt("ok", true),
        attempt("unavailable", false),
        attempt("rate_limited", true),
      ]),
    ).toBe(2);
  });
});
