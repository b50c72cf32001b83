import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { expect, test } from "vitest";
import { countRows } from "../../monitor/count-rows.ts";
import { temporaryFolder } from "../helpers/temporary-folder.ts";
import { testRun } from "../helpers/test-run.ts";

test.each([
  { format: "jsonl" as const, text: "{}\n{}\n{}", rows: 3 },
  { format: "txt" as const, text: "a fox\na crow\n", rows: 2 },
  { format: "csv" as const, text: "prompt\na\nb\n", rows: 2 },
  { format: "tsv" as const, text: "", rows: 0 },
  { format: "json" as const, text: "[1, 2]", rows: undefined },
])("a dataset in $format has about as many rows as lines", async ({ format, text, rows }) => {
  const path = join(temporaryFolder(), "dataset");
  writeFileSync(path, text);
  const source = { path, format, promptColumn: "prompt", paramFrom: {} };
  expect(await countRows(testRun({ source }))).toBe(rows);
});

test("a zipped dataset has as many rows as the lines in it", async () => {
  const path = join(temporaryFolder(), "dataset.jsonl.gz");
  writeFileSync(path, gzipSync('{"prompt":"a fox"}\n'.repeat(5_000)));
  const source = { path, format: "jsonl" as const, promptColumn: "prompt", paramFrom: {} };
  expect(await countRows(testRun({ source }))).toBe(5_000);
});

test("a dataset on another machine has no number of rows", async () => {
  const source = {
    path: "/nowhere/at/all",
    format: "jsonl" as const,
    promptColumn: "p",
    paramFrom: {},
  };
  expect(await countRows(testRun({ source }))).toBeUndefined();
});
