import { appendFileSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { open } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as fc from "fast-check";
import { expect, onTestFinished, test } from "vitest";
import type { JournalLine } from "../../shared/journal-line.ts";
import {
  type JournalEnd,
  readJournal,
  readJournalHeads,
  readJournalLineAt,
} from "../../shared/journal-reader.ts";
import { collect } from "../producer/collect.ts";

function journalFile(content: string | Buffer): string {
  const folder = mkdtempSync(join(tmpdir(), "imagemill-test-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const path = join(folder, "journal.jsonl");
  writeFileSync(path, content);
  return path;
}

function journalLine(index: number, changes: Partial<JournalLine> = {}): JournalLine {
  return {
    v: 1,
    index,
    round: 0,
    state: "failed",
    numGenerations: 1,
    newImages: 0,
    calls: 1,
    retries: 0,
    throttled: 0,
    settledAt: 1_790_000_000_000,
    row: { prompt: `prompt ${index}`, columns: {} },
    images: [],
    failures: [],
    attempts: [],
    ...changes,
  };
}

function written(lines: JournalLine[]): string {
  return lines.map((line) => `${JSON.stringify(line)}\n`).join("");
}

async function readAll(path: string) {
  let end: JournalEnd | undefined;
  const onEnd = (reached: JournalEnd) => (end = reached);
  const lines = await collect(readJournal(path, { onEnd }));
  return { lines, end };
}

async function readHeads(path: string) {
  let end: JournalEnd | undefined;
  const onEnd = (reached: JournalEnd) => (end = reached);
  const batches = await collect(readJournalHeads(path, { onEnd }));
  return { heads: batches.flatMap((batch) => batch.heads), end };
}

/** Costs as they are, and numbers that only a parser of numbers reads. */
const cost = fc.oneof(
  fc.double({ min: 0, max: 1e9, noNaN: true }),
  fc.nat().map((cents) => cents / 100),
  fc.constantFrom(0, 1e-7, 5e-324, 1.5e300, 123456789012345680000),
);
const tokenCount = fc.oneof(fc.nat(), fc.double({ min: 0, max: 9, noNaN: true }));

const line = fc
  .record({
    index: fc.nat(),
    round: fc.nat(),
    state: fc.constantFrom("succeeded" as const, "partial" as const, "failed" as const),
    newImages: fc.nat(),
    calls: fc.nat(),
    retries: fc.nat(),
    throttled: fc.nat(),
    numGenerations: fc.integer({ min: 1, max: 99 }),
    settledAt: fc.nat(),
    row: fc.record({
      prompt: fc.oneof(fc.string({ unit: "grapheme" }), fc.constant('x],"costUsd":7}')),
      columns: fc.dictionary(fc.string(), fc.jsonValue()),
    }),
    ending: fc.record(
      {
        usage: fc.record(
          { inputTokens: tokenCount, outputTokens: tokenCount, totalTokens: tokenCount },
          { requiredKeys: [] },
        ),
        costUsd: cost,
        mayCostUsd: cost,
      },
      { requiredKeys: [] },
    ),
  })
  .map(({ ending, index, ...changes }) => ({ ...journalLine(index, changes), ...ending }));

test("lines come back as they were written, and each again from its place", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(line, { minLength: 1, maxLength: 8 }), async (lines) => {
      const path = journalFile(written(lines));
      const wanted = lines.map((one) => JSON.parse(JSON.stringify(one)));
      const read = await readAll(path);
      expect(read.lines.map((placed) => placed.line)).toEqual(wanted);
      await using handle = await open(path);
      const again = read.lines.map(({ offset, length }) =>
        readJournalLineAt(handle, offset, length),
      );
      expect(await Promise.all(again)).toEqual(wanted);
    }),
    { numRuns: 50 },
  );
});

test("heads are the same numbers as those of the whole lines, at the same places", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(line, { maxLength: 8 }), async (lines) => {
      const path = journalFile(written(lines));
      const [whole, heads] = [await readAll(path), await readHeads(path)];
      const wanted = whole.lines.map(({ line: one, offset, length }) => {
        const {
          row: _row,
          images: _images,
          failures: _failures,
          attempts: _attempts,
          ...head
        } = one;
        return { ...head, offset, length };
      });
      expect(heads.heads).toEqual(wanted);
      expect(heads.end).toEqual(whole.end);
    }),
    { numRuns: 100 },
  );
});

function placeOf({ offset, length }: { offset: number; length: number }): [number, number] {
  return [offset, length];
}

test("lines and heads of a journal of many megabytes are each where they stand, from any line on", async () => {
  const lengths = Array.from({ length: 4_000 }, (_, i) => (i % 97 === 0 ? 70_000 : (i * 37) % 900));
  const lines = lengths.map((length, index) =>
    journalLine(index, { row: { prompt: "x".repeat(length), columns: {} } }),
  );
  const path = journalFile(written(lines));
  const { lines: read, end } = await readAll(path);
  expect(read.map((placed) => placed.line)).toEqual(lines);
  const { heads, end: headsEnd } = await readHeads(path);
  expect([heads.map(placeOf), headsEnd]).toEqual([read.map(placeOf), end]);
  const from = read[2_500]!.offset;
  expect(await collect(readJournal(path, { from }))).toEqual(read.slice(2_500));
});

test("a head gives its whole line", async () => {
  const lines = [0, 1, 2].map((index) => journalLine(index, { row: { prompt: "é", columns: {} } }));
  const batches = readJournalHeads(journalFile(written(lines)));
  const whole: JournalLine[] = [];
  for await (const { heads, lineOf } of batches) whole.push(...heads.map(lineOf));
  expect(whole).toEqual(lines);
});

test("a head is read from a line that only begins as ours do", async () => {
  const text = JSON.stringify(journalLine(5)).replace(/\}$/, ',"more":["{ no end"]}');
  const other = JSON.stringify(journalLine(6)).replace(/\}$/, ',"more":{"no":"{ end"}}');
  const { heads } = await readHeads(journalFile(`${text}\n${other}\n${text}\n`));
  expect(heads.map(({ index }) => index)).toEqual([5, 6, 5]);
});

test("a head is read from a line whose fields stand in another order", async () => {
  const { index, v, ...rest } = journalLine(5, { costUsd: 0.5 });
  const { heads } = await readHeads(
    journalFile(`${JSON.stringify({ costUsd: 0.5, ...rest, index, v })}\n`),
  );
  expect(heads).toMatchObject([{ index: 5, state: "failed", costUsd: 0.5 }]);
});

test("a last line that was torn at any byte is left out, and the end says where to cut", async () => {
  const whole = written([journalLine(0), journalLine(1)]);
  const last = written([journalLine(2, { row: { prompt: "é", columns: {} } })]);
  const bytes = Buffer.from(whole + last);
  const path = journalFile(whole);
  for (let length = Buffer.byteLength(whole) + 1; length < bytes.length; length++) {
    writeFileSync(path, bytes.subarray(0, length));
    const end = { validBytes: Buffer.byteLength(whole), torn: true };
    const read = await readAll(path);
    expect([read.lines.length, read.end]).toEqual([2, end]);
    const { heads, end: headsEnd } = await readHeads(path);
    expect([heads.length, headsEnd]).toEqual([2, end]);
  }
  writeFileSync(path, bytes);
  expect((await readAll(path)).end).toEqual({ validBytes: bytes.length, torn: false });
});

test("a last line that ends but is not whole is torn as well", async () => {
  const whole = written([journalLine(0)]);
  for (const tail of [
    "\0\0\0\n",
    '{"v":1,"index":1\n',
    `${JSON.stringify(journalLine(1)).slice(0, -3)}}\n`,
  ]) {
    const path = journalFile(whole + tail);
    expect((await readAll(path)).end).toEqual({ validBytes: whole.length, torn: true });
    expect((await readHeads(path)).end).toEqual({ validBytes: whole.length, torn: true });
  }
});

test("a damaged line in the middle is an error with file and line number", async () => {
  const path = journalFile(`${written([journalLine(0)])}oops\n`);
  appendFileSync(path, written([journalLine(2)]));
  await expect(readAll(path)).rejects.toThrow(`${path} is damaged: line 2 `);
  await expect(readHeads(path)).rejects.toThrow(`${path} is damaged: line 2 `);
  await expect(readAll(path)).rejects.toThrow(/remove line 2 and run the same command again/);
});

/** A journal whose first line has an image of this file. */
function journalOf(file: string): string {
  const image = { generation: 0, file, width: 1, height: 1, bytes: 1, sha256: "00" };
  return journalFile(written([journalLine(0, { images: [image] }), journalLine(1)]));
}

test("a line that names a file outside the images is damaged: nothing is read or written there", async () => {
  expect((await readAll(journalOf("images/00000/00000000-0.png"))).lines).toHaveLength(2);
  for (const file of ["../secret.png", "/etc/hostname", "images/../../x.png", "images/00000/x.png"])
    await expect(readAll(journalOf(file))).rejects.toThrow(/line 1 /);
});

test("a journal that does not exist or is empty has no lines", async () => {
  const path = journalFile("");
  const nothing = { lines: [], end: { validBytes: 0, torn: false } };
  expect(await readAll(path)).toEqual(nothing);
  expect(await readAll(`${path}.none`)).toEqual(nothing);
});

test("lines longer than a chunk of the file are read", async () => {
  const lines = [1, 2, 3].map((index) =>
    journalLine(index, { row: { prompt: "x".repeat(1_500_000), columns: {} } }),
  );
  const path = journalFile(written(lines));
  expect((await readAll(path)).lines.map((placed) => placed.line)).toEqual(lines);
  expect((await readHeads(path)).heads.map(({ index }) => index)).toEqual([1, 2, 3]);
});

test("a column named __proto__ is kept", async () => {
  const text = written([journalLine(0)]).replace('"columns":{}', '"columns":{"__proto__":"x"}');
  const { lines } = await readAll(journalFile(text));
  expect(Object.entries(lines[0]?.line.row?.columns ?? {})).toEqual([["__proto__", "x"]]);
});

test("asking for a line where none stands names the place", async () => {
  await using handle = await open(journalFile(written([journalLine(0)])));
  await expect(readJournalLineAt(handle, 3, 10)).rejects.toThrow(
    "no whole line of 10 bytes at byte 3",
  );
});
