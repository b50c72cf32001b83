import { appendFileSync, mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import type { JournalLine } from "../../../shared/journal-line.ts";
import type { RunFile } from "../../../shared/run-file.ts";
import { promptLine, runDirectory, runFile } from "../outputs/small-run.ts";

/** Bytes of an image that can be told from those of every other one. */
export function imageBytes(file: string, length = 1_000): Buffer {
  return Buffer.alloc(length, `${file} `);
}

/** A run directory with `run.json`, this journal, and a file for each of its images. */
export function exportableRun(lines: JournalLine[], changes: Partial<RunFile> = {}): string {
  const directory = runDirectory(lines);
  writeFileSync(join(directory, ".imagemill", "run.json"), JSON.stringify(runFile(changes)));
  for (const line of lines) writeImages(directory, line);
  return directory;
}

/** Settles one more prompt. */
export function settle(directory: string, line: JournalLine): void {
  writeImages(directory, line);
  const journal = join(directory, ".imagemill", "journal.jsonl");
  appendFileSync(journal, `${JSON.stringify(line)}\n`);
}

function writeImages(directory: string, { images }: JournalLine): void {
  for (const { file, bytes } of images) {
    mkdirSync(dirname(join(directory, file)), { recursive: true });
    writeFileSync(join(directory, file), imageBytes(file, bytes));
  }
}

/** A line whose images have this length and extension. */
export function lineOfImages(
  index: number,
  { bytes = 1_000, extension = "png", columns = {} } = {},
): JournalLine {
  const line = promptLine(index, [0, 1], { row: { prompt: `prompt ${index}`, columns } });
  const images = line.images.map((image) => {
    const file = image.file.replace(/\w+$/, extension);
    return { ...image, file, bytes };
  });
  return { ...line, images };
}
