import { join } from "node:path";
import { asyncBufferFromFile, parquetMetadataAsync } from "hyparquet";
import { describe, expect, test } from "vitest";
import { writeOutputs } from "../../../producer/outputs/write-outputs.ts";
import type { JournalLine } from "../../../shared/journal-line.ts";
import { parquetRows, parquetTypes } from "./parquet.ts";
import { fileOf, jsonLines, promptLine, runDirectory, runFile, textOf } from "./small-run.ts";

/** Rows with these columns, each with one image. */
function withColumns(...columns: Record<string, unknown>[]): JournalLine[] {
  return columns.map((one, index) =>
    promptLine(index, [0], { row: { prompt: `prompt ${index}`, columns: one } }),
  );
}

describe("columns of images", () => {
  test("that clash get other names, whatever their case, and none ends in file_name", async () => {
    const names = [
      "image",
      "Images",
      "LABEL",
      "file_name",
      "x_File_Name",
      "file_names",
      "Prompt",
      "seed",
      "source_seed",
    ];
    const directory = runDirectory(
      withColumns(Object.fromEntries(names.map((name) => [name, `its ${name}`]))),
    );
    await writeOutputs(directory, runFile());
    const [row] = await parquetRows(directory);
    expect(row).toMatchObject({
      file_name: fileOf(0, 0),
      prompt: "prompt 0",
      seed: null,
      source_image: "its image",
      source_Images: "its Images",
      source_LABEL: "its LABEL",
      source_filename: "its file_name",
      source_x_filename: "its x_File_Name",
      source_filenames: "its file_names",
      source_Prompt: "its Prompt",
      source_seed: "its seed",
      source_seed_2: "its source_seed",
    });
    const lower = Object.keys(row ?? {}).map((name) => name.toLowerCase());
    expect(new Set(lower).size).toBe(lower.length);
  });

  test("are typed over all rows, nulls and missing values allowed", async () => {
    const directory = runDirectory(
      withColumns(
        { late: null, int: 1, number: 1, flag: true, mixed: 1, nested: { a: [1] }, none: null },
        { late: "text", int: -5, number: 0.5, flag: null, mixed: "1", nested: null, none: null },
        { int: Number.MAX_SAFE_INTEGER, extra: "x" },
      ),
    );
    await writeOutputs(directory, runFile());
    expect(await parquetTypes(directory)).toMatchObject({
      index: "INT64",
      cost_usd: "DOUBLE",
      recovered: "BOOLEAN",
      late: "BYTE_ARRAY",
      int: "INT64",
      number: "DOUBLE",
      flag: "BOOLEAN",
      mixed: "BYTE_ARRAY",
      none: "BYTE_ARRAY",
    });
    const nothing = { late: null, number: null, flag: null, mixed: null, nested: null, none: null };
    expect(await parquetRows(directory)).toMatchObject([
      {
        late: null,
        int: 1,
        number: 1,
        flag: true,
        mixed: "1",
        nested: '{"a":[1]}',
        none: null,
        extra: null,
      },
      {
        late: "text",
        int: -5,
        number: 0.5,
        flag: null,
        mixed: '"1"',
        nested: null,
        none: null,
        extra: null,
      },
      { ...nothing, int: Number.MAX_SAFE_INTEGER, extra: "x" },
    ]);
  });

  test("have the id once where its column is named id, and an id column of no meaning as it is", async () => {
    const lines = [promptLine(0, [0], { row: { id: "7", prompt: "p", columns: { id: 7 } } })];
    const [asId, asColumn] = [runDirectory(lines), runDirectory(lines)];
    await writeOutputs(asId, runFile({ source: { ...runFile().source, idColumn: "id" } }));
    await writeOutputs(asColumn, runFile());
    expect(jsonLines(asId, "images.jsonl")).toMatchObject([{ id: "7" }]);
    expect(jsonLines(asColumn, "images.jsonl")).toMatchObject([{ id: 7 }]);
    expect(textOf(asId, "images.jsonl")).not.toContain("source_id");
  });

  test("may be named __proto__", async () => {
    const columns = JSON.parse('{"__proto__":"x"}');
    const directory = runDirectory(withColumns(columns));
    await writeOutputs(directory, runFile());
    expect(Object.entries(jsonLines(directory, "images.jsonl")[0] ?? {})).toContainEqual([
      "__proto__",
      "x",
    ]);
    expect(await parquetTypes(directory).then(Object.keys)).toContain("recovered");
    expect(Object.entries(jsonLines(directory, "results.jsonl")[0] ?? {})).toContainEqual([
      "__proto__",
      "x",
    ]);
  });

  test("fill many row groups of a large run", async () => {
    const lines = Array.from({ length: 12_000 }, (_, index) => promptLine(index, [0, 1]));
    const directory = runDirectory(lines.toReversed());
    await writeOutputs(directory, runFile());
    const rows = await parquetRows(directory);
    expect(rows.map((row) => row["file_name"])).toEqual(
      lines.flatMap(({ index }) => [fileOf(index, 0), fileOf(index, 1)]),
    );
    const metadata = await parquetMetadataAsync(
      await asyncBufferFromFile(join(directory, "metadata.parquet")),
    );
    expect(metadata.row_groups).toHaveLength(3);
    expect(textOf(directory, "index.html").match(/<article/g)).toHaveLength(200);
    expect(textOf(directory, "index.html")).toContain("The first 200 of 12,000 prompts.");
  });

  test("are the same in all row groups, also where the last row of a large run brings another", async () => {
    const lines = Array.from({ length: 21_000 }, (_, index) =>
      promptLine(index, [0], {
        row: { prompt: "p", columns: { number: index, text: "x", late: null } },
      }),
    );
    const columns = { number: 0.5, text: 1, late: "now", more: true };
    const last = promptLine(21_000, [0], { row: { prompt: "p", columns } });
    const directory = runDirectory([...lines, last]);
    await writeOutputs(directory, runFile());
    expect(await parquetTypes(directory)).toMatchObject({
      number: "DOUBLE",
      text: "BYTE_ARRAY",
      late: "BYTE_ARRAY",
      more: "BOOLEAN",
    });
    const rows = await parquetRows(directory);
    expect(rows).toHaveLength(21_001);
    expect(rows[7]).toMatchObject({ number: 7, text: '"x"', late: null, more: null });
    expect(rows[21_000]).toMatchObject({ number: 0.5, text: "1", late: "now", more: true });
  });
});
