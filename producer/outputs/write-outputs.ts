import { journalPath, type RunFile } from "../../shared/run-file.ts";
import { ColumnNames } from "./column-names.ts";
import { contactSheet, sheetEntries, type SheetEntry, sheetEntry } from "./contact-sheet.ts";
import { datasetCard } from "./dataset-card.ts";
import { ImageColumns } from "./image-columns.ts";
import { orderedLines } from "./ordered-lines.ts";
import { OutputFiles } from "./output-files.ts";
import { failureRecord, rejectRecord, resultKeys, resultRecord } from "./prompt-records.ts";
import { readRows } from "./read-rows.ts";
import { countLine, noCounts, sumCost } from "./run-counts.ts";
import { writeParquet } from "./write-parquet.ts";

/**
 * Writes a run directory's output files from its journal, in dataset order and in bounded memory: `results.jsonl`,
 * `images.jsonl`, `metadata.parquet`, `failures.jsonl`, `rejects.jsonl`, `README.md`, `index.html`. Each replaces an earlier
 * one as a whole, and only when all of them could be written.
 * @throws Error naming file and line where the journal is damaged
 */
export async function writeOutputs(directory: string, run: RunFile): Promise<void> {
  const journal = journalPath(directory);
  const counts = noCounts(await sumCost(journal));
  const columns = new ImageColumns(run);
  const resultNames = new ColumnNames((name) => resultKeys.has(name));
  const sheet: SheetEntry[] = [];
  await using files = new OutputFiles(directory);
  const results = await files.openLines("results.jsonl");
  const images = await files.openLines("images.jsonl");
  const failures = await files.openLines("failures.jsonl");
  const rejects = await files.openLines("rejects.jsonl");
  for await (const line of orderedLines(journal)) {
    countLine(counts, line);
    if (line.state === "rejected") {
      await rejects.writeJson(rejectRecord(line));
      continue;
    }
    await results.writeJson(resultRecord(line, run, resultNames));
    for (const row of columns.rows(line)) await images.writeJson(row);
    if (line.state !== "succeeded") await failures.writeJson(failureRecord(line));
    if (sheet.length < sheetEntries) sheet.push(sheetEntry(line));
  }
  await files.closeLines();
  const imageRows = readRows(files.temporaryPath("images.jsonl"));
  await writeParquet(files.temporaryPath("metadata.parquet"), columns.columns, imageRows);
  await files.writeText("README.md", datasetCard(run, counts, columns.columns));
  await files.writeText("index.html", contactSheet(run, counts, sheet));
  await files.place();
}
