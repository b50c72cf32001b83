import { describe, expect, test } from "vitest";
import { progressLine } from "../../cli/progress-view.ts";
import type { RunProgress } from "../../producer/run-life.ts";
import { Settled } from "../../producer/settled.ts";
import { testRun } from "../helpers/test-run.ts";

function progress(changes: Partial<RunProgress>): RunProgress {
  const { totals } = new Settled(testRun());
  const still = { settled: 3, inFlight: 2, total: 10, calls: 0, workers: 1 };
  return { totals, ...still, waiting: undefined, lanePause: undefined, ...changes };
}

const line = (changes: Partial<RunProgress>, workHere: boolean) =>
  progressLine(progress(changes), 0, 0, workHere);
const moving = (changes: Partial<RunProgress>) => progressLine(progress(changes), 1, 1, true);

describe("the progress line", () => {
  test("of a producer alone says how to get a worker where there is none", () => {
    expect(line({ workers: 0 }, false)).toContain(
      "no living worker serves the lane: start `imagemill work`",
    );
    expect(line({ workers: 1 }, false)).not.toContain("imagemill work");
    expect(line({ workers: undefined }, false)).not.toContain("imagemill work");
  });

  test("of a run that works by itself asks for no other worker", () => {
    const alone = line({ workers: 0 }, true);
    expect(alone).toContain("waiting: this run's own worker is not heard of yet");
    expect(alone).not.toContain("imagemill work");
  });

  test("tells no time that is left while everything waits", () => {
    const waiting = "rate limit, goes on in 59m 46s";
    expect(moving({ waiting })).not.toContain("ETA");
    expect(moving({ waiting, calls: 1 })).toContain("ETA 7s");
    expect(moving({})).toContain("ETA 7s");
  });

  test("says what is waited for, and no more, while Redis does not answer", () => {
    const waiting = "Redis takes connections, but has not answered for 4 s";
    for (const workHere of [true, false]) {
      const text = line({ workers: 0, waiting }, workHere);
      expect(text.endsWith(`  waiting: ${waiting}`)).toBe(true);
      expect(text).not.toContain("worker");
    }
  });
});
