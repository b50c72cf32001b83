import { expect, test } from "vitest";
import { JournalHeadReader } from "../../shared/journal-head.ts";

const LF = 0x0a;

function lineOf(index: number, { throttled = 0, costUsd = 0.04 } = {}): string {
  return JSON.stringify({
    v: 1,
    index,
    round: 0,
    state: "succeeded",
    numGenerations: 1,
    newImages: 1,
    calls: 1,
    retries: 0,
    throttled,
    settledAt: 1_790_000_000_000 + index,
    row: { prompt: "a fox", columns: {} },
    images: [],
    failures: [],
    attempts: [],
    usage: { inputTokens: 21, totalTokens: 1_077 },
    costUsd,
  });
}

/** What one reader reads of these lines; "damaged" for one that is none. */
function read(...lines: string[]): unknown[] {
  const bytes = Buffer.from(lines.map((line) => `${line}\n`).join(""));
  const reader = new JournalHeadReader(bytes);
  let start = 0;
  return lines.map(() => {
    const stop = bytes.indexOf(LF, start);
    try {
      return reader.read(start, stop, 0);
    } catch {
      return "damaged";
    } finally {
      start = stop + 1;
    }
  });
}

/** The line with each of these at every place, before what stands there and instead of it. */
function* changesOf(line: string): Generator<string> {
  for (let place = 0; place <= line.length; place++) {
    for (const text of ["", ...Array.from('019.-e,:"{}[]\\ \0\x80x')]) {
      yield `${line.slice(0, place)}${text}${line.slice(place)}`;
      yield `${line.slice(0, place)}${text}${line.slice(place + 1)}`;
    }
  }
}

test("a line that is like the one before, but for any byte of it, is read as if it stood alone", () => {
  const before = lineOf(7);
  const [head] = read(before);
  for (const changed of changesOf(lineOf(8)))
    expect([changed, ...read(before, changed)]).toEqual([changed, head, ...read(changed)]);
});

test("lines that count something else, or end otherwise, are read one by one", () => {
  const lines = [0, 1, 1, 0, 2].flatMap((throttled, index) =>
    [0.04, 0.05, 1].map((costUsd) => lineOf(index, { throttled, costUsd })),
  );
  const wanted = lines.map((line) => expect.objectContaining(countsOf(line)));
  expect(read(...lines)).toEqual(wanted);
});

function countsOf(line: string) {
  const { index, throttled, settledAt, usage, costUsd } = JSON.parse(line);
  return { index, throttled, settledAt, usage, costUsd };
}
