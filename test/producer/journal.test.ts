import { appendFileSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { Journal } from "../../producer/journal.ts";
import { replayJournal } from "../../producer/replay.ts";
import { acquireRunLock, type RunLock } from "../../producer/run-lock.ts";
import { readJournal } from "../../shared/journal-reader.ts";
import type { JournalLine } from "../../shared/journal-line.ts";
import { withFileSizeLimit } from "../helpers/file-size-limit.ts";
import { collect } from "./collect.ts";
import { journalLine, stateFolderPaths } from "./test-lines.ts";

const run = { round: 0, numGenerations: 1, retryKinds: null };

async function linesOf(path: string): Promise<JournalLine[]> {
  return (await collect(readJournal(path))).map(({ line }) => line);
}

/** Opens the journal of a directory as a run does: after what its replay found valid. */
async function open(path: string, lock: RunLock): Promise<Journal> {
  const { validBytes } = await replayJournal(path, run);
  return await Journal.open(path, validBytes, lock);
}

describe("Journal", () => {
  test("appends lines that are there when it resolves, in the order of the calls", async () => {
    const { directory, journal: path } = stateFolderPaths();
    await using lock = await acquireRunLock(directory);
    await using journal = await open(path, lock);
    const lines = Array.from({ length: 20 }, (_, index) => journalLine({ index }));
    await Promise.all(lines.map((line) => journal.append([line])));
    await journal.append([]);
    expect(await linesOf(path)).toEqual(lines);
    expect(journal.bytes).toBe(readFileSync(path).length);
  });

  test.each(["", "{", `{"v":1,"index":1`, JSON.stringify(journalLine({ index: 1 })), "\0\0\0\n"])(
    "cuts a torn tail off and goes on behind the last whole line: %j",
    async (tail) => {
      const { directory, journal: path } = stateFolderPaths();
      await using lock = await acquireRunLock(directory);
      writeFileSync(path, `${JSON.stringify(journalLine({ index: 0 }))}\n${tail}`);
      await using journal = await open(path, lock);
      await journal.append([journalLine({ index: 2 })]);
      expect((await linesOf(path)).map(({ index }) => index)).toEqual([0, 2]);
      expect(journal.bytes).toBe(readFileSync(path).length);
    },
  );

  test("writes nothing more once another producer has the run", async () => {
    const { directory, state, journal: path } = stateFolderPaths();
    await using lock = await acquireRunLock(directory);
    await using journal = await open(path, lock);
    await journal.append([journalLine({ index: 0 })]);
    const other = {
      host: "other",
      machine: "other",
      pid: 9,
      started: null,
      epoch: 2,
      token: "other",
    };
    writeFileSync(join(state, "run.lock"), JSON.stringify(other));
    await expect(journal.append([journalLine({ index: 1 })])).rejects.toThrow("process 9 on other");
    expect(await linesOf(path)).toHaveLength(1);
  });

  test.runIf(process.platform === "linux")(
    "on a full disk counts nothing as written, leaves no half of a line, and goes on when there is room",
    async () => {
      const { directory, journal: path } = stateFolderPaths();
      await using lock = await acquireRunLock(directory);
      await using journal = await open(path, lock);
      await journal.append([journalLine({ index: 0 })]);
      const whole = readFileSync(path);
      const more = [journalLine({ index: 1 }), journalLine({ index: 2 })];
      // Room for the first line and a part of the second.
      const room = Math.floor(whole.length * 2.5);
      await withFileSizeLimit(room, async () => {
        await expect(journal.append(more)).rejects.toThrow("EFBIG");
        expect(readFileSync(path)).toEqual(whole);
        expect(journal.bytes).toBe(whole.length);
      });
      await journal.append(more);
      expect((await linesOf(path)).map(({ index }) => index)).toEqual([0, 1, 2]);
    },
  );
});

describe("replayJournal", () => {
  test("of a journal that is not there is empty", async () => {
    const { journal } = stateFolderPaths();
    const { settled, validBytes, torn } = await replayJournal(journal, run);
    expect([settled.count, validBytes, torn]).toEqual([0, 0, false]);
  });

  test("says that a tail was torn, and where the last whole line ends", async () => {
    const { journal } = stateFolderPaths();
    const whole = `${JSON.stringify(journalLine({ index: 3 }))}\n`;
    writeFileSync(journal, whole);
    expect(await replayJournal(journal, run)).toMatchObject({
      validBytes: Buffer.byteLength(whole),
      torn: false,
    });
    appendFileSync(journal, whole.slice(0, 40));
    const { settled, validBytes, torn } = await replayJournal(journal, run);
    expect([settled.has(3), validBytes, torn]).toEqual([true, Buffer.byteLength(whole), true]);
  });

  test("knows the kinds of failures, and which lines have to be done again, with their place", async () => {
    const { journal } = stateFolderPaths();
    const lines = [
      journalLine({ index: 0 }),
      journalLine({ index: 1, state: "failed", kinds: ["timeout"] }),
      journalLine({ index: 2, state: "failed", kinds: ["content_policy"] }),
      journalLine({ index: 3, state: "rejected" }),
    ];
    const texts = lines.map((line) => `${JSON.stringify(line)}\n`);
    writeFileSync(journal, texts.join(""));
    const { settled } = await replayJournal(journal, {
      round: 1,
      numGenerations: 1,
      retryKinds: ["timeout"],
    });
    expect([0, 1, 2, 3].map((index) => settled.has(index))).toEqual([true, false, true, true]);
    expect(settled.totals.failures).toEqual({ content_policy: 1 });
    const place = {
      offset: Buffer.byteLength(texts[0]!),
      length: Buffer.byteLength(texts[1]!) - 1,
    };
    expect([...settled.redo]).toEqual([[1, place]]);
  });

  test("names file and line where a line in the middle is damaged", async () => {
    const { journal } = stateFolderPaths();
    const whole = `${JSON.stringify(journalLine({ index: 0 }))}\n`;
    writeFileSync(journal, `${whole}damaged\n${whole}`);
    await expect(replayJournal(journal, run)).rejects.toThrow(`${journal} is damaged: line 2`);
  });
});
