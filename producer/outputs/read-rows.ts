import { lineBatches } from "../../shared/line-batches.ts";

/** One row of a file of JSON lines and the bytes that it takes there. */
export interface FileRow {
  row: Record<string, unknown>;
  bytes: number;
}

/** The rows of a file of JSON lines that we wrote. */
export async function* readRows(path: string): AsyncGenerator<FileRow> {
  for await (const { lines } of lineBatches(path)) {
    for (const { bytes } of lines)
      yield { row: JSON.parse(bytes.toString("utf8")), bytes: bytes.length };
  }
}
