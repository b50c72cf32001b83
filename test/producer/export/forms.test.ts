import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import { type ExportFormat, exportRun } from "../../../producer/export/export-run.ts";
import { writeOutputs } from "../../../producer/outputs/write-outputs.ts";
import { filesBelow } from "../../helpers/run-files.ts";
import { temporaryFolder } from "../../helpers/temporary-folder.ts";
import { parquetRows } from "../outputs/parquet.ts";
import { fileOf, jsonLines, promptLine, rejectedLine, runFile } from "../outputs/small-run.ts";
import { exportableRun, imageBytes, lineOfImages } from "./exportable-run.ts";
import { parquetKeyValue, parquetObjects, tarEntries } from "./read-exports.ts";

/** Not in dataset order, one settled twice, one with half of its images, one failed, one rejected. */
const mixed = [
  promptLine(4, [1], { row: { prompt: "the last", columns: { nested: { a: 1 }, late: "text" } } }),
  promptLine(1, []),
  rejectedLine(2),
  promptLine(0, [0, 1], { row: { prompt: "first", columns: { nested: "text", late: null } } }),
  promptLine(1, [0, 1], { round: 1 }),
  promptLine(3, []),
];
const files = [fileOf(0, 0), fileOf(0, 1), fileOf(1, 0), fileOf(1, 1), fileOf(4, 1)];

async function exported(directory: string, format: ExportFormat, shardBytes?: number) {
  const to = join(temporaryFolder(), "to");
  const summary = await exportRun({ directory, format, to, ...(shardBytes && { shardBytes }) });
  return { to, summary };
}

const card = (to: string) => readFileSync(join(to, "README.md"), "utf8");

describe("imagefolder", () => {
  test("has the images as hard links beside the rows of metadata.parquet, and nothing else but the card", async () => {
    const directory = exportableRun(mixed);
    await writeOutputs(directory, runFile());
    const { to, summary } = await exported(directory, "imagefolder");
    expect(filesBelow(to)).toEqual(["README.md", ...files, "metadata.parquet"]);
    for (const file of files)
      expect(statSync(join(to, file)).ino).toBe(statSync(join(directory, file)).ino);
    expect(await parquetRows(to)).toEqual(await parquetRows(directory));
    expect(card(to)).toContain("    path:\n    - metadata.parquet\n    - images/**\n---");
    const { id } = runFile();
    const state = "unfinished";
    const sums = { images: 5, bytes: 100 + 100 + 101 + 101 + 104, prompts: 4 };
    expect(summary).toEqual({ run: id, state, format: "imagefolder", to, ...sums });
  });

  test("has copies where the destination is on another disk", async () => {
    const folder = mkdtempSync("/dev/shm/imagemill-test-");
    onTestFinished(() => rmSync(folder, { recursive: true }));
    const directory = exportableRun(mixed);
    expect(statSync(folder).dev).not.toBe(statSync(directory).dev);
    const to = join(folder, "to");
    await exportRun({ directory, format: "imagefolder", to });
    expect(filesBelow(to)).toEqual(["README.md", ...files, "metadata.parquet"]);
    for (const file of files)
      expect(readFileSync(join(to, file))).toEqual(readFileSync(join(directory, file)));
  });
});

test("jsonl has the rows of all images beside them, each column of the one type that the card tells", async () => {
  const directory = exportableRun(mixed);
  await writeOutputs(directory, runFile());
  const { to } = await exported(directory, "jsonl");
  expect(filesBelow(to)).toEqual(["README.md", "images.jsonl", ...files]);
  const ofRun = jsonLines(directory, "images.jsonl");
  const texts = ['"text"', '"text"', null, null, '{"a":1}'];
  expect(jsonLines(to, "images.jsonl")).toEqual(
    ofRun.map((row, i) => ({ late: null, ...row, nested: texts[i] })),
  );
  expect(card(to)).toContain('  - name: "late"\n    dtype: string\n');
  expect(card(to)).toContain('  - name: "nested"\n    dtype: string\n');
  expect(card(to)).toContain('  - name: "width"\n    dtype: int64\n');
});

describe("parquet", () => {
  test("holds the images as Hugging Face's feature Image, with their rows, in dataset order", async () => {
    const { to } = await exported(exportableRun(mixed), "parquet");
    const name = "data/train-00000-of-00001.parquet";
    expect(filesBelow(to)).toEqual(["README.md", name]);
    const rows = await parquetObjects(to, name);
    expect(rows.map((row) => row["image"])).toEqual(
      files.map((path) => {
        const length = 100 + Number(path.slice(13, 21));
        return { bytes: new Uint8Array(imageBytes(path, length)), path };
      }),
    );
    expect(rows.map((row) => [row["prompt"], row["late"], row["nested"]])).toEqual([
      ["first", null, '"text"'],
      ["first", null, '"text"'],
      ["prompt 1", null, null],
      ["prompt 1", null, null],
      ["the last", "text", '{"a":1}'],
    ]);
    expect(rows[0]).not.toHaveProperty("file_name");
    const features = JSON.parse((await parquetKeyValue(to, name, "huggingface")) ?? "");
    expect(features.info.features).toMatchObject({
      image: { _type: "Image" },
      prompt: { _type: "Value", dtype: "string" },
      index: { _type: "Value", dtype: "int64" },
      cost_usd: { _type: "Value", dtype: "float64" },
      recovered: { _type: "Value", dtype: "bool" },
      late: { _type: "Value", dtype: "string" },
    });
    expect(Object.keys(features.info.features)).toEqual(Object.keys(rows[0] ?? {}));
  });

  test("is cut into shards of a size that say how many there are, each image in one of them", async () => {
    const lines = Array.from({ length: 30 }, (_, index) => lineOfImages(index));
    const { to } = await exported(exportableRun(lines), "parquet", 20_000);
    const names = readdirSync(join(to, "data"));
    expect(names).toEqual(names.map((_, i) => `train-0000${i}-of-0000${names.length}.parquet`));
    expect(names.length).toBeGreaterThan(3);
    const rows = await Promise.all(names.map((name) => parquetObjects(join(to, "data"), name)));
    expect(rows.flat().map((row) => [row["index"], row["generation"]])).toEqual(
      lines.flatMap(({ index }) => [0n, 1n].map((generation) => [BigInt(index), generation])),
    );
    for (const name of names) expect(statSync(join(to, "data", name)).size).toBeLessThan(30_000);
  });
});

describe("webdataset", () => {
  test("has each image and its row under one key without a dot, each column of one type", async () => {
    const { to } = await exported(exportableRun(mixed), "webdataset");
    const name = "data/train-00000-of-00001.tar";
    expect(filesBelow(to)).toEqual(["README.md", name]);
    const entries = await tarEntries(join(to, name));
    const keys = files.map((file) => file.slice(13, -4));
    expect(entries.map((entry) => entry.name)).toEqual(
      keys.flatMap((key) => [`${key}.png`, `${key}.json`]),
    );
    expect(entries[8]!.content).toEqual(imageBytes(files[4]!, 104));
    const rows = entries.filter((_, i) => i % 2 === 1).map(({ content }) => String(content));
    expect(rows.map((row) => JSON.parse(row))).toMatchObject([
      { file_name: files[0], index: 0, nested: '"text"', late: null },
      { file_name: files[1], index: 0, nested: '"text"', late: null },
      { file_name: files[2], index: 1, nested: null, late: null },
      { file_name: files[3], index: 1, nested: null, late: null },
      { file_name: files[4], index: 4, nested: '{"a":1}', late: "text" },
    ]);
    expect(card(to)).toContain("  - name: json\n    struct:\n");
  });

  test("names images of several kinds alike, since loaders refuse fields that differ, and says so", async () => {
    const extensions = ["png", "jpg", "jpg"];
    const lines = extensions.map((extension, index) => lineOfImages(index, { extension }));
    const { to, summary } = await exported(exportableRun(lines), "webdataset");
    const entries = await tarEntries(join(to, "data/train-00000-of-00001.tar"));
    const names = entries.map(({ name }) => name);
    expect(names.filter((name) => !name.endsWith(".json"))).toEqual(
      lines.flatMap(({ index }) => [0, 1].map((i) => `0000000${index}-${i}.jpg`)),
    );
    expect(JSON.parse(String(entries[1]!.content))).toMatchObject({ file_name: fileOf(0, 0) });
    expect(summary.note).toContain("the images are of several kinds (4 jpg, 2 png)");
  });

  test("gives the same bytes each time", async () => {
    const directory = exportableRun(mixed);
    const name = "data/train-00000-of-00001.tar";
    const [one, other] = [
      await exported(directory, "webdataset"),
      await exported(directory, "webdataset"),
    ];
    expect(readFileSync(join(one.to, name)).equals(readFileSync(join(other.to, name)))).toBe(true);
  });
});
