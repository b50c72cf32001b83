import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { CallJob, jobId, jobOptions, PromptJob } from "../../shared/job.ts";
import { Registration } from "../../shared/registration.ts";
import { newRunId } from "../../shared/run-file.ts";

describe("jobId", () => {
  test("is run, round and index, and the first generation for a sub-job", () => {
    expect(jobId("abc", 0, 17)).toBe("abc-0-17");
    expect(jobId("abc", 2, 17, 0)).toBe("abc-2-17-0");
  });

  test("differs for different jobs and is one that BullMQ takes", () => {
    const numbers = fc.tuple(fc.nat(), fc.nat(), fc.option(fc.nat(), { nil: undefined }));
    const run = newRunId();
    fc.assert(
      fc.property(numbers, numbers, (one, two) => {
        const [first, second] = [jobId(run, ...one), jobId(run, ...two)];
        expect(first === second).toBe(one.every((number, i) => number === two[i]));
        expect(first).not.toMatch(/:|^\d+$/);
      }),
    );
  });
});

describe("jobOptions", () => {
  test("leave nothing of a job behind, however it ends, and never let BullMQ give it up", () => {
    const options = jobOptions("id");
    expect(options).toMatchObject({ jobId: "id", removeOnComplete: true, removeOnFail: true });
    expect(options.attempts).toBeGreaterThan(100_000);
  });
});

describe("schemas of jobs", () => {
  const base = { v: 1, run: "r", round: 0, index: 0, prompt: "p" };

  test("tell a prompt job from a sub-job and refuse another version", () => {
    expect(PromptJob.safeParse({ ...base, numGenerations: 1 }).success).toBe(true);
    expect(CallJob.safeParse({ ...base, generations: [0] }).success).toBe(true);
    expect(PromptJob.safeParse({ ...base, generations: [0] }).success).toBe(false);
    expect(CallJob.safeParse({ ...base, generations: [] }).success).toBe(false);
    expect(PromptJob.safeParse({ ...base, v: 2, numGenerations: 1 }).success).toBe(false);
    expect(PromptJob.safeParse({ ...base, numGenerations: 0 }).success).toBe(false);
  });
});

describe("Registration", () => {
  const registration = {
    v: 1,
    run: "r",
    round: 0,
    revision: 0,
    location: "/out",
    host: "h",
    state: "running",
  };

  test("survives JSON, with and without a reason", () => {
    for (const value of [registration, { ...registration, state: "paused", reason: "why" }]) {
      expect(Registration.parse(JSON.parse(JSON.stringify(value)))).toEqual(value);
    }
  });

  test("refuses a state that is none, another version and a negative round", () => {
    for (const wrong of [{ state: "gone" }, { v: 2 }, { round: -1 }, { location: undefined }]) {
      expect(Registration.safeParse({ ...registration, ...wrong }).success).toBe(false);
    }
  });
});
