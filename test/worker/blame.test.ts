import { describe, expect, test } from "vitest";
import type { AttemptRecord } from "../../shared/result.ts";
import { hasFailedAlone, isHopeless } from "../../worker/blame.ts";

const patienceMs = 15 * 60_000;

function attempt(endedAt: number, changes: Partial<AttemptRecord> = {}): AttemptRecord {
  return {
    generations: [0],
    startedAt: endedAt - 100,
    endedAt,
    worker: "w",
    outcome: "unavailable",
    burned: false,
    sent: true,
    ...changes,
  };
}

describe("a prompt that finds its provider away", () => {
  test("has failed alone where an attempt was used up, or the provider has come back since", () => {
    expect(hasFailedAlone([], 1_000)).toBe(false);
    expect(hasFailedAlone([attempt(500)], -Infinity)).toBe(false);
    expect(hasFailedAlone([attempt(500, { burned: true })], -Infinity)).toBe(true);
    expect(hasFailedAlone([attempt(500)], 1_000)).toBe(true);
    expect(hasFailedAlone([attempt(1_500)], 1_000)).toBe(false);
    const other = attempt(500, { burned: true, outcome: "bad_response" });
    expect(hasFailedAlone([other], 1_000)).toBe(false);
  });

  test("is hopeless once the provider took it as often as it is tried, in a quarter of an hour", () => {
    const since = 1_000;
    const taken = [attempt(since + 100), attempt(since + 200)];
    const now = since + patienceMs;
    expect(isHopeless(taken, { attempts: 2, since, patienceMs }, now)).toBe(true);
    expect(isHopeless(taken, { attempts: 2, since, patienceMs }, now - 1)).toBe(false);
    expect(isHopeless(taken, { attempts: 3, since, patienceMs }, now)).toBe(false);
  });

  test("is not where it never got there, or that was before", () => {
    const since = 1_000;
    const now = since + 4 * patienceMs;
    const refused = attempt(since + 100, { sent: false });
    expect(
      isHopeless([refused, attempt(since + 200)], { attempts: 2, since, patienceMs }, now),
    ).toBe(false);
    expect(
      isHopeless(
        [attempt(since - 1), attempt(since + 200)],
        { attempts: 2, since, patienceMs },
        now,
      ),
    ).toBe(false);
  });
});
