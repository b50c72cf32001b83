import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { Settled } from "../../producer/settled.ts";
import type { FailureKind } from "../../shared/failure.ts";
import { PromptState } from "../../shared/result.ts";
import { asksMore, type Asked, recount, withoutZeros } from "./naive-settled.ts";
import { journalLine, type LineFacts } from "./test-lines.ts";

const kinds: readonly FailureKind[] = ["timeout", "content_policy", "internal"];
const facts: fc.Arbitrary<LineFacts> = fc
  .record({
    index: fc.nat({ max: 12 }),
    round: fc.nat({ max: 2 }),
    state: fc.constantFrom(...PromptState.options),
    numGenerations: fc.integer({ min: 1, max: 3 }),
    kinds: fc.subarray([...kinds]),
  })
  .map(({ state, kinds: lost, ...rest }) => {
    const isLost = state === "failed" || state === "partial";
    return { state, ...rest, ...(state === "partial" && { images: 1 }), kinds: isLost ? lost : [] };
  });
const asked: fc.Arbitrary<Asked> = fc.record({
  round: fc.nat({ max: 3 }),
  numGenerations: fc.integer({ min: 1, max: 3 }),
  retryKinds: fc.option(fc.subarray<string>([...kinds]), { nil: null }),
});

describe("Settled", () => {
  test("after any sequence of lines has the states and sums that counting again gives", () => {
    fc.assert(
      fc.property(fc.array(facts, { maxLength: 40 }), asked, (sequence, run) => {
        const lines = sequence.map(journalLine);
        const settled = new Settled(run);
        for (const [i, line] of lines.entries()) settled.add(line, { offset: i, length: 1 });
        const expected = recount(lines, run);
        expect(withoutZeros(settled.totals)).toEqual(expected.totals);
        expect(settled.count).toBe(expected.settled.size);
        const indexes = Array.from({ length: 14 }, (_, index) => index);
        expect(indexes.filter((index) => settled.has(index))).toEqual(
          indexes.filter((index) => expected.settled.has(index)),
        );
      }),
      { numRuns: 300 },
    );
  });

  test("knows where the last line of each prompt stands that has to be done again, and only of those", () => {
    fc.assert(
      fc.property(fc.array(facts, { maxLength: 40 }), asked, (sequence, run) => {
        const lines = sequence.map(journalLine);
        const settled = new Settled(run);
        for (const [i, line] of lines.entries()) settled.add(line, { offset: i, length: 1 });
        const last = new Map(lines.map((line, i) => [line.index, { line, i }]));
        const redo = [...last]
          .filter(([, { line }]) => asksMore(line, run))
          .map(([index, { i }]): [number, number] => [index, i]);
        const places = [...settled.redo].map(([index, { offset }]): [number, number] => [
          index,
          offset,
        ]);
        expect(new Map(places)).toEqual(new Map(redo));
      }),
    );
  });

  test("takes a line that was just made as it is, whatever the round", () => {
    const settled = new Settled({ round: 3, numGenerations: 5, retryKinds: null });
    settled.add(journalLine({ index: 0, state: "failed", kinds: ["timeout"] }));
    expect([settled.has(0), settled.redo.size]).toEqual([true, 0]);
  });

  test("counts a failure that a later round healed no more", () => {
    const settled = new Settled({ round: 2, numGenerations: 1, retryKinds: ["timeout"] });
    const place = { offset: 0, length: 1 };
    settled.add(journalLine({ index: 0, state: "failed", kinds: ["internal"] }), place);
    settled.add(journalLine({ index: 0, round: 1 }), place);
    expect(settled.totals.failures.internal ?? 0).toBe(0);
    expect(settled.totals.prompts).toMatchObject({ succeeded: 1, failed: 0 });
  });

  test("grows to any index", () => {
    const settled = new Settled({ round: 0, numGenerations: 1, retryKinds: null });
    for (const index of [0, 4_095, 4_096, 1_000_000]) settled.add(journalLine({ index }));
    expect(
      [0, 1, 4_095, 4_096, 4_097, 999_999, 1_000_000, 2_000_000].filter((index) =>
        settled.has(index),
      ),
    ).toEqual([0, 4_095, 4_096, 1_000_000]);
  });
});
