import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { CallOutcome } from "../../shared/job.ts";
import type { ImageRecord, PromptFailure } from "../../shared/result.ts";
import { addOutcome, missingOf, startOutcome } from "../../worker/outcome.ts";
import { planCalls } from "../../worker/plan.ts";

const generationLists = fc
  .uniqueArray(fc.nat({ max: 60 }), { maxLength: 40 })
  .map((list) => list.toSorted((a, b) => a - b));
const maxima = fc.integer({ min: 1, max: 12 });

function imageOf(generation: number): ImageRecord {
  return { generation, file: `${generation}.png`, width: 1, height: 1, bytes: 1, sha256: "" };
}

function failureOf(generations: number[]): PromptFailure {
  return { generations, kind: "content_policy", message: "no" };
}

function outcomeOf(images: number[], failed: number[][] = []): CallOutcome {
  return { images: images.map(imageOf), failures: failed.map(failureOf), attempts: [] };
}

describe("planCalls", () => {
  test("covers exactly what is given, in order, in as few calls as the maximum allows", () => {
    fc.assert(
      fc.property(generationLists, maxima, (generations, max) => {
        const calls = planCalls(generations, max);
        expect(calls.flat()).toEqual(generations);
        expect(calls.every((call) => call.length >= 1 && call.length <= max)).toBe(true);
        expect(calls).toHaveLength(Math.ceil(generations.length / max));
      }),
    );
  });

  test("fills calls from the front", () => {
    expect(planCalls([0, 1, 2, 3, 4], 2)).toEqual([[0, 1], [2, 3], [4]]);
    expect(planCalls([3, 7], 10)).toEqual([[3, 7]]);
    expect(planCalls([], 1)).toEqual([]);
  });
});

describe("missingOf", () => {
  test("is what is neither made nor known to have failed, in order, whatever the outcomes are split into", () => {
    fc.assert(
      fc.property(generationLists, generationLists, generationLists, (wanted, made, failed) => {
        const known = new Set([...made, ...failed]);
        const expected = wanted.filter((generation) => !known.has(generation));
        expect(missingOf(wanted, outcomeOf(made, [failed]))).toEqual(expected);
        const apart = [
          ...made.map((one) => outcomeOf([one])),
          ...failed.map((one) => outcomeOf([], [[one]])),
        ];
        expect(missingOf(wanted, ...apart)).toEqual(expected);
      }),
    );
  });
});

describe("planning until nothing is missing", () => {
  test("asks for every generation once, however many images each call gives short", () => {
    const shortages = fc.infiniteStream(fc.nat({ max: 3 }));
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 30 }), maxima, shortages, (count, max, shortage) => {
        const all = Array.from({ length: count }, (_, generation) => generation);
        const outcome = startOutcome();
        for (let missing = all; missing.length > 0; missing = missingOf(all, outcome)) {
          const [call] = planCalls(missing, max);
          const given = Math.max(1, call!.length - Number(shortage.next().value));
          addOutcome(outcome, outcomeOf(call!.slice(0, given)));
        }
        expect(
          outcome.images.map(({ generation }) => generation).toSorted((a, b) => a - b),
        ).toEqual(all);
      }),
    );
  });
});

describe("outcomes", () => {
  test("grouping keeps every image, failure, attempt and token of all calls, in any order of the calls", () => {
    const calls = fc.array(
      fc.record({
        images: generationLists,
        failed: generationLists,
        inputTokens: fc.nat({ max: 100 }),
      }),
      { maxLength: 8 },
    );
    fc.assert(
      fc.property(calls, (parts) => {
        const group = (ordered: typeof parts) => {
          const outcome = startOutcome();
          for (const { images, failed, inputTokens } of ordered) {
            addOutcome(outcome, { ...outcomeOf(images, [failed]), usage: { inputTokens } });
          }
          return outcome;
        };
        const outcome = group(parts);
        expect(outcome.images).toHaveLength(parts.flatMap(({ images }) => images).length);
        expect(outcome.failures.flatMap(({ generations }) => generations)).toEqual(
          parts.flatMap(({ failed }) => failed),
        );
        const tokens = parts.reduce((sum, { inputTokens }) => sum + inputTokens, 0);
        expect(outcome.usage?.inputTokens ?? 0).toBe(tokens);
        expect(group(parts.toReversed()).usage).toEqual(outcome.usage);
      }),
    );
  });

  test("start as a copy: what is added later does not reach the job's own data", () => {
    const known = outcomeOf([0]);
    const outcome = startOutcome(known);
    addOutcome(outcome, outcomeOf([1]));
    expect(known).toEqual(outcomeOf([0]));
    expect(outcome.images.map(({ generation }) => generation)).toEqual([0, 1]);
  });
});
