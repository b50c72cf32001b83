import { appendFileSync, mkdirSync, statSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, describe, expect, test, vi } from "vitest";
import { FolderSource } from "../../monitor/folder-source.ts";
import { KnownRun } from "../../monitor/known-run.ts";
import { measureRun } from "../../monitor/run-view.ts";
import { lineOfResult } from "../../producer/journal-lines.ts";
import type { RunFile } from "../../shared/run-file.ts";
import { temporaryFolder } from "../helpers/temporary-folder.ts";
import { testRun } from "../helpers/test-run.ts";

afterEach(() => vi.useRealTimers());

/** A prompt that failed, as the journal tells it. */
function lineOf(run: RunFile, index: number): string {
  const result = {
    v: 1 as const,
    run: run.id,
    round: 0,
    index,
    numGenerations: 1,
    state: "failed" as const,
    images: [],
    failures: [{ generations: [0], kind: "timeout" as const, message: "late" }],
    attempts: [],
  };
  const line = lineOfResult(result, { prompt: `prompt ${index}`, columns: {} }, []);
  return `${JSON.stringify(line)}\n`;
}

/** A run that was interrupted after two prompts, an hour ago; `changes` are of its `run.json`. */
function interruptedRun(changes: Partial<RunFile> = {}) {
  const directory = temporaryFolder();
  const run = testRun(changes);
  const state = join(directory, ".imagemill");
  const journal = join(state, "journal.jsonl");
  mkdirSync(state);
  writeFileSync(join(state, "run.json"), JSON.stringify(run));
  writeFileSync(journal, lineOf(run, 0) + lineOf(run, 1));
  const anHourAgo = new Date(Date.now() - 3_600_000);
  utimesSync(journal, anHourAgo, anHourAgo);
  const settle = (index: number) => appendFileSync(journal, lineOf(run, index));
  return { journal, settle, known: new KnownRun(new FolderSource(directory), run) };
}

describe("the index of a run without a summary", () => {
  test("is not kept where nobody looks at it and nobody writes: its sums stay", async () => {
    const { known } = interruptedRun();
    await known.refresh();
    expect(known.index).toBeUndefined();
    expect(measureRun(known, false)).toMatchObject({
      settled: 2,
      totals: { prompts: { failed: 2 } },
    });
    expect(known.lastSettledAt).toBeGreaterThan(0);
    expect(known.indexed).toBe(1);
  });

  test("counts what a later round does again, whenever that is asked for", async () => {
    const { known } = interruptedRun();
    await known.refresh();
    const { source, file } = known;
    const path = join(source.directory, ".imagemill", "run.json");
    writeFileSync(path, JSON.stringify({ ...file, round: 1 }));
    utimesSync(path, new Date(), new Date(Date.now() + 1_000));
    await known.refresh();
    expect(known.index).toBeUndefined();
    expect(measureRun(known, false)).toMatchObject({
      settled: 0,
      totals: { prompts: { failed: 2 } },
    });
  });

  test("is made while somebody writes or looks, and dropped a quarter of an hour later", async () => {
    vi.useFakeTimers({ toFake: ["Date"] });
    const { known, settle } = interruptedRun();
    await known.refresh();
    settle(2);
    await known.refresh();
    expect(known.sums?.totals.prompts.failed).toBe(2);
    await known.refresh();
    expect(known.index?.settled).toBe(3);
    vi.setSystemTime(Date.now() + 16 * 60_000);
    await known.refresh();
    expect(known.index).toBeUndefined();
    await known.look();
    expect(known.index?.settled).toBe(3);
    vi.setSystemTime(Date.now() + 16 * 60_000);
    await known.refresh();
    expect(known.index).toBeUndefined();
    expect(known.sums?.totals.prompts.failed).toBe(3);
  });

  test("does not need the torn line of a killed producer to be whole", async () => {
    const { known, journal } = interruptedRun();
    const { mtime } = statSync(journal);
    appendFileSync(journal, `{"v":1,"inde`);
    utimesSync(journal, mtime, mtime);
    await known.refresh();
    expect(known.index).toBeUndefined();
    expect(known.sums?.totals.prompts.failed).toBe(2);
    expect(known.trouble).toBeUndefined();
  });

  test("of a damaged journal is dropped, and the damage still told", async () => {
    const { known, journal, settle } = interruptedRun();
    const { mtime } = statSync(journal);
    appendFileSync(journal, "damage\n");
    settle(2);
    utimesSync(journal, mtime, mtime);
    for (const _ of [1, 2]) {
      await known.refresh();
      expect(known.index).toBeUndefined();
      expect(known.trouble?.message).toMatch(/journal\.jsonl/);
    }
  });
});
