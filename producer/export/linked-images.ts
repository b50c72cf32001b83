import { open } from "node:fs/promises";
import { join } from "node:path";
import { Cleanup } from "../../shared/cleanup.ts";
import { inOrder } from "../../shared/in-order.ts";
import { LineFile } from "../outputs/output-files.ts";
import { readRows } from "../outputs/read-rows.ts";
import { writeParquet } from "../outputs/write-parquet.ts";
import type { ExportForm, ExportJob } from "./export-form.ts";
import { featuresYaml } from "./features.ts";
import { readSpool } from "./spool-images.ts";
import { typedRow } from "./typed-row.ts";

/** Images that are put in place at once. */
const width = 16;

async function placeImages({ images, files, folder, onImage }: ExportJob): Promise<void> {
  const placed = inOrder(readSpool(images.path), width, async ({ file, fileBytes }) => {
    await files.place(file, fileBytes, folder);
    return fileBytes;
  });
  for await (const bytes of placed) onImage(bytes);
}

/** The form of the run directory itself: images beside a table that names them. */
export const imageFolder: ExportForm = {
  write: async (job) => {
    await placeImages(job);
    const { path, columns } = job.images;
    await writeParquet(join(job.folder, "metadata.parquet"), columns, readRows(path));
  },
  columns: ({ columns }) => columns,
  card: () => ({
    dataFiles: ["metadata.parquet", "images/**"],
    example: `dataset[0]["image"], dataset[0]["prompt"]`,
    files: "`datasets` loads `file_name` as the column `image`.",
  }),
};

async function writeLines({ images, folder }: ExportJob): Promise<void> {
  await using stack = new Cleanup();
  const lines = new LineFile(await open(join(folder, "images.jsonl"), "w"));
  stack.defer(() => lines.close());
  for await (const { row } of readRows(images.path)) {
    lines.add(JSON.stringify(typedRow(row, images.columns)));
    await lines.flushIfMuch();
  }
  await lines.flush();
}

/** JSON lines that name the images beside them. */
export const jsonLines: ExportForm = {
  write: async (job) => {
    await placeImages(job);
    await writeLines(job);
  },
  columns: ({ columns }) => columns,
  card: ({ columns }) => ({
    dataFiles: ["images.jsonl"],
    // A reader that guesses types from the first rows fails where a later one is the first to have a value.
    features: featuresYaml(columns),
    example: `dataset[0]["file_name"], dataset[0]["prompt"]`,
    files: "`images.jsonl` names the file of each in `images/`.",
  }),
};
