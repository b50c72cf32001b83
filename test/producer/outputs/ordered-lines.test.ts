import { join } from "node:path";
import * as fc from "fast-check";
import { expect, test } from "vitest";
import { readOrdered } from "../../../producer/outputs/ordered-lines.ts";
import type { JournalLine } from "../../../shared/journal-line.ts";
import { collect } from "../collect.ts";
import { promptLine, runDirectory } from "./small-run.ts";

async function orderedLines(journal: string, segmentPrompts?: number): Promise<JournalLine[]> {
  const { batches } = await readOrdered(journal, segmentPrompts);
  return (await collect(batches)).flat();
}

test("lines come by index, the last of each, however many fit into a segment", async () => {
  const indexes = fc.array(fc.oneof(fc.nat(12), fc.nat(3000)), { maxLength: 40 });
  await fc.assert(
    fc.asyncProperty(
      indexes,
      fc.integer({ min: 1, max: 4000 }),
      async (written, segmentPrompts) => {
        const lines = written.map((index, position) =>
          promptLine(index, [], { settledAt: position }),
        );
        const journal = join(runDirectory(lines), ".imagemill", "journal.jsonl");
        const last = new Map(lines.map((line) => [line.index, line.settledAt]));
        const got = await orderedLines(journal, segmentPrompts);
        expect(got.map(({ index, settledAt }) => [index, settledAt])).toEqual(
          [...last].toSorted(([a], [b]) => a - b),
        );
      },
    ),
    { numRuns: 100 },
  );
});

test("lines far apart in a journal larger than what is kept in memory are read", async () => {
  const prompt = "x".repeat(700_000);
  const lines = Array.from({ length: 60 }, (_, index) =>
    promptLine(index, [], { row: { prompt, columns: {} } }),
  );
  const shuffled = lines.map((_, position) => lines[(position * 37) % 60]!);
  const journal = join(runDirectory(shuffled), ".imagemill", "journal.jsonl");
  const got = await orderedLines(journal);
  expect(got.map(({ index }) => index)).toEqual(lines.map(({ index }) => index));
});
