import type { JournalLine } from "../../shared/journal-line.ts";
import type { RunFile } from "../../shared/run-file.ts";
import type { ColumnNames } from "./column-names.ts";
import { otherColumns } from "./image-columns.ts";

/** The keys of a record of `results.jsonl`; a column of the dataset cannot have these names. */
export const resultKeys: ReadonlySet<string> = new Set([
  "index",
  "id",
  "prompt",
  "model_name",
  "state",
  "images",
  "generations",
  "failures",
]);

/** The files of a prompt's images by generation, null where one is missing. */
function imageFiles(line: JournalLine): (string | null)[] {
  const files: (string | null)[] = Array.from({ length: line.numGenerations }, () => null);
  for (const image of line.images) {
    if (image.generation < files.length) files[image.generation] = image.file;
  }
  return files;
}

/**
 * Groups a prompt's files as `generate` of the gallery's models does: a model that makes several images in a call gives
 * them as one group, one that does not gives a group for each image.
 */
function groupGenerations<File>(
  files: File[],
  maxGenerationsPerCall: number,
): { images: File[] }[] {
  return maxGenerationsPerCall > 1
    ? [{ images: files }]
    : files.map((file) => ({ images: [file] }));
}

/** The record of `results.jsonl` of a prompt that was sent. */
export function resultRecord(
  line: JournalLine,
  run: RunFile,
  names: ColumnNames,
): Record<string, unknown> {
  const images = imageFiles(line);
  const others = otherColumns(line.row, run).map(([column, value]): [string, unknown] => [
    names.nameOf(column),
    value,
  ]);
  return {
    index: line.index,
    ...(run.source.idColumn !== undefined && { id: line.row?.id ?? null }),
    prompt: line.row?.prompt ?? null,
    model_name: run.model,
    state: line.state,
    images,
    generations: groupGenerations(images, run.maxGenerationsPerCall),
    ...Object.fromEntries(others),
    ...(line.failures.length > 0 && { failures: line.failures }),
  };
}

/** The record of `failures.jsonl` of a prompt that has fewer images than were asked for. */
export function failureRecord(line: JournalLine): Record<string, unknown> {
  return {
    index: line.index,
    ...(line.row?.id !== undefined && { id: line.row.id }),
    prompt: line.row?.prompt ?? null,
    state: line.state,
    missing: imageFiles(line).flatMap((file, generation) => (file === null ? [generation] : [])),
    failures: line.failures,
    attempt_count: line.attempts.length,
    attempts: line.attempts,
  };
}

/** The record of `rejects.jsonl` of a row that was never sent. */
export function rejectRecord(line: JournalLine): Record<string, unknown> {
  return {
    row: line.rejected?.row ?? line.index + 1,
    line: line.rejected?.line ?? null,
    index: line.index,
    reason: line.rejected?.reason ?? "not known",
    raw: line.rejected?.raw ?? null,
  };
}
