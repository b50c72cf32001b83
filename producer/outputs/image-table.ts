import type { FileRow } from "./read-rows.ts";
import { type ParquetColumns, ParquetFile, writeParquet } from "./write-parquet.ts";

/** So many rows, or bytes, are held back to learn columns from before the first is written. */
const mostHeldRows = 10_000;
const mostHeldBytes = 32 * 1024 * 1024;

/**
 * Writes `metadata.parquet` while its columns are still being learned. A Parquet file has the same columns from its first
 * row to its last: where a late row brings another column, or another type of one, what was written is dropped, and in the
 * end the rows are read again and written once more.
 */
export class ImageTable {
  readonly #path: string;
  readonly #learned: () => ParquetColumns;
  #held: FileRow[] = [];
  #heldBytes = 0;
  #file: { parquet: ParquetFile; columns: ParquetColumns } | undefined;
  #isStale = false;

  /** `learned` gives the columns and types of all rows that were added so far. */
  constructor(path: string, learned: () => ParquetColumns) {
    this.#path = path;
    this.#learned = learned;
  }

  /** Adds a row that is as many bytes as JSON; it is written with one of the next calls of {@link flush}. */
  add(row: FileRow["row"], bytes: number): void {
    if (this.#isStale) return;
    this.#held.push({ row, bytes });
    this.#heldBytes += bytes;
  }

  /** Writes the rows that are held, where they are enough. */
  async flush(): Promise<void> {
    if (this.#held.length >= mostHeldRows || this.#heldBytes >= mostHeldBytes) await this.#write();
  }

  async #write(): Promise<void> {
    const columns = this.#learned();
    this.#file ??= { parquet: new ParquetFile(this.#path, columns), columns };
    this.#isStale ||= !areWrittenAlike(columns, this.#file.columns);
    const held = this.#held;
    this.#held = [];
    this.#heldBytes = 0;
    if (this.#isStale) return;
    for (const { row, bytes } of held) await this.#file.parquet.add(row, bytes);
  }

  /** Writes what is left. `again` gives all rows once more where that is needed. */
  async finish(again: () => AsyncIterable<FileRow>): Promise<void> {
    await this.#write();
    if (this.#isStale) await writeParquet(this.#path, this.#learned(), again());
    else await this.#file?.parquet.finish();
  }
}

/** Whether values are written as the same bytes under both. */
function areWrittenAlike(a: ParquetColumns, b: ParquetColumns): boolean {
  return formOf(a) === formOf(b);
}

/** Names and types in their order. A column that was empty so far is one of text. */
function formOf(columns: ParquetColumns): string {
  const form = Array.from(columns, ([name, type]) => [name, type === "empty" ? "text" : type]);
  return JSON.stringify(form);
}
