import { appendFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { RunIndex } from "../../monitor/run-index.ts";
import { replayJournal } from "../../producer/replay.ts";
import { lineOfResult } from "../../producer/journal-lines.ts";
import type { FailureKind } from "../../shared/failure.ts";
import type { JournalLine } from "../../shared/journal-line.ts";
import { temporaryFolder } from "../helpers/temporary-folder.ts";
import { testRun } from "../helpers/test-run.ts";

const startMs = Date.parse("2026-11-23T00:00:00.000Z");

interface Told {
  index: number;
  round: number;
  images: number;
  kinds: FailureKind[];
  seconds: number;
}

function sum(values: readonly number[]): number {
  return values.reduce((all, value) => all + value, 0);
}

/** A line as a worker's result makes it: attempts that failed by these kinds, then one that made so many of 3 images. */
function lineOf({ index, round, images, kinds, seconds }: Told): JournalLine {
  const at = startMs + seconds * 1_000;
  const base = { worker: "w", burned: true, sent: true, generations: [0, 1, 2] };
  const all = Array.from({ length: images }, (_, generation) => ({
    generation,
    file: `images/00000/00000000-${generation}.png`,
    width: 8,
    height: 8,
    bytes: 100,
    sha256: "00",
  }));
  const lost = [0, 1, 2].slice(images);
  const attempts = kinds.map((outcome, i) => ({
    ...base,
    outcome,
    startedAt: at + i * 10,
    endedAt: at + i * 10 + 5,
    message: `message of ${outcome} ${i}`,
    ...(outcome === "rate_limited" && { burned: false }),
  }));
  const result = {
    v: 1 as const,
    run: "abcdefabcdef",
    round,
    index,
    numGenerations: 3,
    state:
      images === 3
        ? ("succeeded" as const)
        : images > 0
          ? ("partial" as const)
          : ("failed" as const),
    images: all,
    failures:
      lost.length > 0 ? [{ generations: lost, kind: "timeout" as const, message: "late" }] : [],
    attempts: [
      ...attempts,
      { ...base, outcome: "ok" as const, startedAt: at + 100, endedAt: at + 400 },
    ],
    usage: { inputTokens: index },
    costUsd: images / 100,
  };
  return lineOfResult(result, { prompt: `prompt ${index}`, columns: {} }, []);
}

const told = fc.record({
  index: fc.integer({ min: 0, max: 12 }),
  round: fc.constantFrom(0, 1),
  images: fc.integer({ min: 0, max: 3 }),
  kinds: fc.array(fc.constantFrom<FailureKind>("unavailable", "rate_limited", "bad_response"), {
    maxLength: 3,
  }),
  seconds: fc.integer({ min: 0, max: 50_000 }),
});

describe("the index of a journal", () => {
  test("counts what the producer counts, however the journal grew", async () => {
    const path = join(temporaryFolder(), "journal.jsonl");
    await fc.assert(
      fc.asyncProperty(
        fc.array(told, { maxLength: 40 }),
        fc.integer({ min: 0, max: 40 }),
        async (lines, cut) => {
          const text = lines.map((line) => `${JSON.stringify(lineOf(line))}\n`);
          const index = new RunIndex(startMs);
          writeFileSync(path, text.slice(0, cut).join(""));
          await index.readOn(path);
          // Half a line is not read until it is whole.
          const [next = "", ...rest] = text.slice(cut);
          appendFileSync(path, next.slice(0, 70));
          await index.readOn(path);
          appendFileSync(path, next.slice(70) + rest.join(""));
          await index.readOn(path);
          const run = testRun({ numGenerations: 3, round: 1, retryKinds: ["timeout"] });
          const { settled } = await replayJournal(path, run);
          const { failures: _, prompts: unsettledLeftOut, ...sums } = settled.totals;
          expect(index.totals).toMatchObject(sums);
          expect(index.settled - index.toDoAgain(run)).toBe(settled.count);
          expect(index.prompts.count("all")).toBe(index.settled);
          const last = new Map(lines.map((line) => [line.index, lineOf(line)]));
          const retried = [...last.values()].filter((line) => line.retries > 0);
          expect(index.prompts.count("retried")).toBe(retried.length);
          expect(index.totals.prompts.succeeded).toBe(unsettledLeftOut.succeeded);
          const drawn = index.series.until().sums;
          expect(sum(drawn.settled)).toBe(lines.length);
          expect(sum(drawn.throttled)).toBe(settled.totals.throttled);
          expect(sum(drawn.callMs)).toBeCloseTo(
            lines.reduce((ms, { kinds }) => ms + 300 + 5 * kinds.length, 0),
          );
          const lacking =
            index.prompts.page("failed", 0, 100).total +
            index.prompts.page("partial", 0, 100).total;
          const late = index.problems.list().find(({ kind }) => kind === "timeout");
          expect(late?.prompts ?? 0).toBe(lacking);
        },
      ),
      { numRuns: 60 },
    );
  });

  test("pages through prompts of one state, in dataset order", () => {
    const index = new RunIndex(startMs);
    for (const i of [7, 3, 5_000, 4]) {
      const line = lineOf({ index: i, round: 0, images: i === 4 ? 0 : 3, kinds: [], seconds: 1 });
      index.add({ line, offset: i * 10, length: 9 });
    }
    const page = index.prompts.page("succeeded", 1, 5);
    expect(page.total).toBe(3);
    expect(page.entries).toMatchObject([
      { index: 7, offset: 70, length: 9 },
      { index: 5_000, offset: 50_000 },
    ]);
    expect(index.prompts.page("failed", 0, 5).entries).toMatchObject([{ index: 4 }]);
  });
});
