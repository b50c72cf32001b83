import { describe, expect, test } from "vitest";
import { FailureWatch, stopOfPause } from "../../producer/stop.ts";
import type { JournalLine } from "../../shared/journal-line.ts";
import { journalLine } from "./test-lines.ts";

function refused(index: number, status = 400): JournalLine {
  const line = journalLine({ index, state: "failed", kinds: ["invalid_request"] });
  return {
    ...line,
    failures: [{ ...line.failures[0]!, status, message: "Unknown parameter: 'x'" }],
  };
}

const moderated = (index: number) =>
  journalLine({ index, state: "failed", kinds: ["content_policy"] });
const timedOut = (index: number) => journalLine({ index, state: "failed", kinds: ["timeout"] });
const many = (count: number, line: (index: number) => JournalLine) =>
  Array.from({ length: count }, (_, i) => line(i));

describe("FailureWatch", () => {
  test("stops when the first 20 prompts are all refused alike, and quotes the refusal", () => {
    const watch = new FailureWatch(undefined, false);
    expect(watch.see(many(19, refused))).toBeUndefined();
    const stop = watch.see([refused(19)]);
    expect(stop).toMatchObject({ state: "stopped" });
    expect(stop!.text).toContain(
      "first 20 prompts were all refused alike (invalid_request 400): Unknown parameter: 'x'",
    );
  });

  test("stops a run of fewer at its end where each was answered by 404, as by a wrong base URL", () => {
    const watch = new FailureWatch(undefined, false);
    expect(watch.see(many(3, (i) => refused(i, 404)))).toBeUndefined();
    expect(watch.seeEnd()!.text).toMatch(
      /^the 3 prompts were all refused alike \(invalid_request 404\): Unknown.*base URL/,
    );
    watch.see([journalLine({ index: 3 })]);
    expect(watch.seeEnd()).toBeUndefined();
  });

  test("does not stop at the end for what may be due to the prompts, nor where nothing was seen", () => {
    for (const lines of [
      [],
      many(3, refused),
      many(3, moderated),
      [refused(0, 404), timedOut(1)],
    ]) {
      const watch = new FailureWatch(undefined, false);
      watch.see(lines);
      expect(watch.seeEnd()).toBeUndefined();
    }
  });

  test("lets no more than 20 prompts go before it knows", () => {
    const watch = new FailureWatch(undefined, false);
    expect(watch.trialLeft).toBe(20);
    watch.see(many(19, refused));
    expect(watch.trialLeft).toBe(1);
    watch.see([timedOut(19)]);
    expect(watch.trialLeft).toBe(Infinity);
    const proven = new FailureWatch(undefined, false);
    proven.see([journalLine({ index: 0 })]);
    expect(proven.trialLeft).toBe(Infinity);
  });

  test("goes on once one has come back right, be it in part", () => {
    for (const state of ["succeeded", "partial"] as const) {
      const watch = new FailureWatch(undefined, false);
      expect(watch.proven).toBe(false);
      watch.see([journalLine({ index: 0, state, images: 1 })]);
      expect(watch.proven).toBe(true);
      expect(watch.see(many(500, refused))).toBeUndefined();
    }
  });

  test("goes on where they are refused differently, or for what they say", () => {
    const mixed = new FailureWatch(undefined, false);
    expect(mixed.see(many(60, (i) => refused(i, i % 2 ? 400 : 413)))).toBeUndefined();
    const refusing = new FailureWatch(undefined, false);
    expect(refusing.see(many(60, moderated))).toBeUndefined();
  });

  test("does not count rejected rows among the first 20, nor among the failed", () => {
    const watch = new FailureWatch(3, false);
    const rejected = many(100, (index) => journalLine({ index, state: "rejected" }));
    expect(watch.see(rejected)).toBeUndefined();
    expect(watch.see(many(3, refused))).toBeUndefined();
  });

  test("does not look at the first prompts of a run that has succeeded before", () => {
    const watch = new FailureWatch(undefined, true);
    expect(watch.proven).toBe(true);
    expect(watch.see(many(30, refused))).toBeUndefined();
  });

  test("stops at one more failed prompt than allowed; a partial one counts", () => {
    const watch = new FailureWatch(2, true);
    expect(watch.see([timedOut(0), journalLine({ index: 1 }), timedOut(2)])).toBeUndefined();
    const stop = watch.see([
      journalLine({ index: 3, state: "partial", images: 1, kinds: ["timeout"] }),
    ]);
    expect(stop!.text).toContain("3 prompts failed, more than --max-failures 2");
    expect(new FailureWatch(0, true).see([timedOut(0)])).toBeDefined();
    expect(new FailureWatch(undefined, true).see(many(1000, timedOut))).toBeUndefined();
  });
});

describe("stopOfPause", () => {
  test("is the pause's reason with what to do about it", () => {
    expect(stopOfPause({ pause: { kind: "quota", reason: "no money" } })).toEqual({
      state: "stopped",
      text: "quota: no money (top up the account or raise its limit, then run the same command again)",
    });
    for (const kind of ["auth", "model_gone", "storage"] as const) {
      expect(stopOfPause({ pause: { kind, reason: "why" } })!.text).toMatch(
        new RegExp(`^${kind}: why \\(.+\\)$`),
      );
    }
  });

  test("is nothing where the lane is not paused, or a person paused it", () => {
    expect(stopOfPause({ pause: undefined })).toBeUndefined();
    expect(stopOfPause({ pause: { kind: "person", reason: "lunch" } })).toBeUndefined();
  });
});
