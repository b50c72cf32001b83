import type { JournalLine } from "../../shared/journal-line.ts";
import type { RunFile } from "../../shared/run-file.ts";
import { journalPath } from "../../shared/state-files.ts";
import { ColumnNames } from "./column-names.ts";
import { contactSheet, sheetEntries, type SheetEntry, sheetEntry } from "./contact-sheet.ts";
import { datasetCard } from "./dataset-card.ts";
import { ImageTable } from "./image-table.ts";
import { ImageColumns } from "./image-columns.ts";
import { readOrdered } from "./ordered-lines.ts";
import { OutputFiles } from "./output-files.ts";
import { failureRecord, rejectRecord, resultKeys, resultRecord } from "./prompt-records.ts";
import { readRows } from "./read-rows.ts";
import { countLine, noCounts } from "./run-counts.ts";

/**
 * Writes a run directory's output files from its journal, in dataset order and in bounded memory: `results.jsonl`,
 * `images.jsonl`, `metadata.parquet`, `failures.jsonl`, `rejects.jsonl`, `README.md`, `index.html`. Each replaces an earlier
 * one as a whole, and only when all of them could be written.
 * @throws Error naming file and line where the journal is damaged
 */
export async function writeOutputs(directory: string, run: RunFile): Promise<void> {
  const journal = journalPath(directory);
  const { costUsd, batches } = await readOrdered(journal);
  const counts = noCounts(costUsd);
  const columns = new ImageColumns(run);
  const resultNames = new ColumnNames((name) => resultKeys.has(name));
  const sheet: SheetEntry[] = [];
  await using files = new OutputFiles(directory);
  const results = await files.openLines("results.jsonl");
  const images = await files.openLines("images.jsonl");
  const failures = await files.openLines("failures.jsonl");
  const rejects = await files.openLines("rejects.jsonl");
  const table = new ImageTable(files.temporaryPath("metadata.parquet"), () => columns.columns);
  const add = (line: JournalLine): void => {
    countLine(counts, line);
    if (line.state === "rejected") return rejects.add(JSON.stringify(rejectRecord(line)));
    results.add(JSON.stringify(resultRecord(line, run, resultNames)));
    for (const row of columns.rows(line)) {
      const text = JSON.stringify(row);
      images.add(text);
      table.add(row, Buffer.byteLength(text));
    }
    if (line.state !== "succeeded") failures.add(JSON.stringify(failureRecord(line)));
    if (sheet.length < sheetEntries) sheet.push(sheetEntry(line));
  };
  for await (const batch of batches) {
    batch.forEach(add);
    await files.flushIfMuch();
    await table.flush();
  }
  await files.closeLines();
  await table.finish(() => readRows(files.temporaryPath("images.jsonl")));
  await files.writeText("README.md", datasetCard(run, counts, columns.columns));
  await files.writeText("index.html", contactSheet(run, counts, sheet));
  await files.place();
}
