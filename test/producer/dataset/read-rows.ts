import { writeFileSync } from "node:fs";
import { join } from "node:path";
import type { DatasetRow } from "../../../producer/dataset/build-row.ts";
import { formatOf } from "../../../producer/dataset/dataset-format.ts";
import { readDataset } from "../../../producer/dataset/read-dataset.ts";
import type { DatasetSource } from "../../../shared/run-file.ts";
import { temporaryFolder } from "../../helpers/temporary-folder.ts";
import { collect } from "../collect.ts";

/** The rows of a dataset file with this name and content. */
export async function rowsOf(
  name: string,
  content: string | Buffer,
  options: Partial<DatasetSource> = {},
): Promise<DatasetRow[]> {
  const path = join(temporaryFolder(), name);
  writeFileSync(path, content);
  const source = {
    path,
    format: formatOf(path),
    promptColumn: "prompt",
    paramFrom: {},
    ...options,
  };
  return collect(readDataset(source));
}

/** Prompts of good rows, reasons of rejected ones. */
export async function read(
  name: string,
  content: string | Buffer,
  options: Partial<DatasetSource> = {},
): Promise<string[]> {
  const rows = await rowsOf(name, content, options);
  return rows.map((row) => (row.ok ? row.prompt : `! ${row.reason}`));
}
