import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import {
  asyncBufferFromFile,
  parquetReadObjects,
  parquetSchema,
  parquetMetadataAsync,
} from "hyparquet";
import { describe, expect, test } from "vitest";
import { writeOutputs } from "../../../producer/outputs/write-outputs.ts";
import type { JournalLine } from "../../../shared/journal-line.ts";
import { fileOf, jsonLines, promptLine, rejectedLine, runDirectory, runFile } from "./small-run.ts";

function plain(value: unknown): unknown {
  return typeof value === "bigint" ? Number(value) : value;
}

/** The rows of `metadata.parquet`, whole numbers as numbers. */
async function parquetRows(directory: string): Promise<Record<string, unknown>[]> {
  const rows = await parquetReadObjects({
    file: await asyncBufferFromFile(join(directory, "metadata.parquet")),
  });
  return rows.map((row) =>
    Object.fromEntries(Object.entries(row).map(([name, value]) => [name, plain(value)])),
  );
}

async function parquetTypes(directory: string): Promise<Record<string, string | undefined>> {
  const metadata = await parquetMetadataAsync(
    await asyncBufferFromFile(join(directory, "metadata.parquet")),
  );
  const { children } = parquetSchema(metadata);
  return Object.fromEntries(children.map(({ element }) => [element.name, element.type]));
}

function text(directory: string, name: string): string {
  return readFileSync(join(directory, name), "utf8");
}

/** Rows with these columns, each with one image. */
function withColumns(...columns: Record<string, unknown>[]): JournalLine[] {
  return columns.map((one, index) =>
    promptLine(index, [0], { row: { prompt: `prompt ${index}`, columns: one } }),
  );
}

const mixed = [
  promptLine(4, [0]),
  promptLine(1, []),
  rejectedLine(2),
  promptLine(0, [1, 0]),
  promptLine(1, [0, 1], { round: 1, attempts: [] }),
  promptLine(3, []),
];

describe("the files of a run", () => {
  test("are in dataset order, the last line of an index wins, and their numbers agree", async () => {
    const directory = runDirectory(mixed);
    await writeOutputs(directory, runFile());
    const results = jsonLines(directory, "results.jsonl");
    expect(results.map(({ index, state }) => [index, state])).toEqual([
      [0, "succeeded"],
      [1, "succeeded"],
      [3, "failed"],
      [4, "partial"],
    ]);
    const images = jsonLines(directory, "images.jsonl");
    expect(images.map((row) => row["file_name"])).toEqual([
      fileOf(0, 0),
      fileOf(0, 1),
      fileOf(1, 0),
      fileOf(1, 1),
      fileOf(4, 0),
    ]);
    expect(images.map((row) => row["file_name"])).toEqual(
      results.flatMap(({ images: files }) =>
        Array.isArray(files) ? files.filter((file) => file !== null) : [],
      ),
    );
    expect(await parquetRows(directory)).toEqual(images);
    expect(jsonLines(directory, "failures.jsonl").map(({ index }) => index)).toEqual([3, 4]);
    expect(jsonLines(directory, "rejects.jsonl")).toEqual([
      { row: 3, index: 2, reason: "expected JSON", raw: "{bad" },
    ]);
    expect(text(directory, "README.md")).toContain("5 images for 4 prompts");
    expect(text(directory, "README.md")).toContain(
      "| rows that could not be read | 1 |\n| cost | $1.25 |",
    );
    expect(text(directory, "index.html").match(/<img/g)).toHaveLength(5);
  });

  test("replace earlier ones as a whole and leave nothing beside them", async () => {
    const directory = runDirectory(mixed);
    writeFileSync(join(directory, "images.jsonl"), "old\n".repeat(10_000));
    await writeOutputs(directory, runFile());
    await writeOutputs(directory, runFile());
    expect(jsonLines(directory, "images.jsonl")).toHaveLength(5);
    expect(readdirSync(join(directory, ".imagemill"))).toEqual(["journal.jsonl"]);
  });

  test("stay as they were where the journal is damaged, which is told with its place", async () => {
    const directory = runDirectory(mixed);
    await writeOutputs(directory, runFile());
    const before = text(directory, "results.jsonl");
    const journal = join(directory, ".imagemill", "journal.jsonl");
    const lines = [0, 1].map((index) => JSON.stringify(promptLine(index, [0, 1])));
    // Whole at both ends, so that it shows only when the line itself is read.
    const broken = lines[0]!.replace('"prompt":"prompt 0"', '"prompt":prompt 0');
    const damages = [
      ["oops", "is damaged: line 2 "],
      [broken, `is damaged: the line at byte ${lines[1]!.length + 1} `],
    ] as const;
    for (const [damage, problem] of damages) {
      writeFileSync(journal, `${lines[1]}\n${damage}\n${lines[1]}\n`);
      await expect(writeOutputs(directory, runFile())).rejects.toThrow(`${journal} ${problem}`);
      expect(text(directory, "results.jsonl")).toBe(before);
      expect(readdirSync(join(directory, ".imagemill"))).toEqual(["journal.jsonl"]);
    }
  });

  test("are all there, empty, for a journal without lines", async () => {
    const directory = runDirectory([]);
    await writeOutputs(directory, runFile());
    for (const name of ["results", "images", "failures", "rejects"])
      expect(text(directory, `${name}.jsonl`)).toBe("");
    expect(await parquetRows(directory)).toEqual([]);
    expect(existsSync(join(directory, "README.md"))).toBe(true);
    expect(text(directory, "index.html")).toContain("No prompt is settled yet.");
  });
});

describe("results.jsonl", () => {
  test("groups each image by itself where the model makes one in a call", async () => {
    const directory = runDirectory([promptLine(0, [1])]);
    await writeOutputs(directory, runFile());
    expect(jsonLines(directory, "results.jsonl")).toEqual([
      {
        index: 0,
        prompt: "prompt 0",
        model_name: "gpt-image-2",
        state: "partial",
        images: [null, fileOf(0, 1)],
        generations: [{ images: [null] }, { images: [fileOf(0, 1)] }],
        failures: [{ generations: [0], kind: "content_policy", message: "refused 0", status: 400 }],
      },
    ]);
  });

  test("groups all images of a prompt where the model makes several in a call", async () => {
    const directory = runDirectory([promptLine(0, [1]), promptLine(1, [0, 1])]);
    await writeOutputs(directory, runFile({ maxGenerationsPerCall: 10 }));
    expect(jsonLines(directory, "results.jsonl").map(({ generations }) => generations)).toEqual([
      [{ images: [null, fileOf(0, 1)] }],
      [{ images: [fileOf(1, 0), fileOf(1, 1)] }],
    ]);
  });

  test("has the id and the dataset's columns, renamed where they clash", async () => {
    const columns = { key: 7, state: "Ohio", Images: 3, category: null };
    const directory = runDirectory([
      promptLine(0, [0, 1], { row: { id: "7", prompt: "p", columns } }),
    ]);
    await writeOutputs(directory, runFile({ source: { ...runFile().source, idColumn: "key" } }));
    const [record] = jsonLines(directory, "results.jsonl");
    expect(record).toMatchObject({
      id: "7",
      key: 7,
      state: "succeeded",
      source_state: "Ohio",
      source_Images: 3,
    });
    expect(record).toMatchObject({ category: null });
  });
});

describe("failures.jsonl", () => {
  test("has what is missing, why, and every attempt", async () => {
    const line = promptLine(0, [0]);
    const directory = runDirectory([line]);
    await writeOutputs(directory, runFile());
    expect(jsonLines(directory, "failures.jsonl")).toEqual([
      {
        index: 0,
        prompt: "prompt 0",
        state: "partial",
        missing: [1],
        failures: line.failures,
        attempt_count: 1,
        attempts: line.attempts,
      },
    ]);
  });
});

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
    expect(text(asId, "images.jsonl")).not.toContain("source_id");
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
    expect(text(directory, "index.html").match(/<article/g)).toHaveLength(200);
    expect(text(directory, "index.html")).toContain("The first 200 of 12,000 prompts.");
  });
});
