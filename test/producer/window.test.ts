import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type InFlight, Window } from "../../producer/window.ts";

function inFlight(index: number, bytes: number): InFlight {
  const job = { v: 1 as const, run: "r", round: 0, index, prompt: "p", numGenerations: 1 };
  return { id: `r-0-${index}`, row: { prompt: "p", columns: {} }, job, bytes, addedAt: 0 };
}

describe("Window", () => {
  test("has the prompts that were added and not deleted, and their bytes", () => {
    const step = fc.record({ index: fc.nat({ max: 9 }), isAdd: fc.boolean() });
    fc.assert(
      fc.property(fc.array(step), (steps) => {
        const window = new Window();
        const model = new Map<number, number>();
        for (const { index, isAdd } of steps) {
          if (!isAdd) {
            window.delete(index);
            model.delete(index);
          } else if (!model.has(index)) {
            window.add(inFlight(index, index * 100));
            model.set(index, index * 100);
          }
        }
        expect(window.size).toBe(model.size);
        expect(window.bytes).toBe([...model.values()].reduce((sum, bytes) => sum + bytes, 0));
        expect(Array.from(window.values(), ({ job }) => job.index)).toEqual([...model.keys()]);
      }),
    );
  });

  test("does not count a prompt twice that is added again", () => {
    const window = new Window();
    window.add(inFlight(1, 10));
    window.add(inFlight(1, 30));
    expect([window.size, window.bytes]).toEqual([1, 30]);
    window.delete(1);
    window.delete(1);
    expect([window.size, window.bytes, window.get(1)]).toEqual([0, 0, undefined]);
  });
});
