import { existsSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { writeOutputs } from "../../../producer/outputs/write-outputs.ts";
import { parquetRows } from "./parquet.ts";
import {
  fileOf,
  jsonLines,
  promptLine,
  rejectedLine,
  runDirectory,
  runFile,
  textOf,
} from "./small-run.ts";

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
      { row: 3, line: null, index: 2, reason: "expected JSON", raw: "{bad" },
    ]);
    expect(textOf(directory, "README.md")).toContain("5 images for 4 prompts");
    expect(textOf(directory, "README.md")).toContain(
      "| rows that could not be read | 1 |\n| cost | $1.25 |",
    );
    expect(textOf(directory, "index.html").match(/<img/g)).toHaveLength(5);
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
    const before = textOf(directory, "results.jsonl");
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
      expect(textOf(directory, "results.jsonl")).toBe(before);
      expect(readdirSync(join(directory, ".imagemill"))).toEqual(["journal.jsonl"]);
    }
  });

  test("are all there, empty, for a journal without lines", async () => {
    const directory = runDirectory([]);
    await writeOutputs(directory, runFile());
    for (const name of ["results", "images", "failures", "rejects"])
      expect(textOf(directory, `${name}.jsonl`)).toBe("");
    expect(await parquetRows(directory)).toEqual([]);
    expect(existsSync(join(directory, "README.md"))).toBe(true);
    expect(textOf(directory, "index.html")).toContain("No prompt is settled yet.");
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
