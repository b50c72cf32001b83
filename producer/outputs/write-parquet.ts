import type { KeyValue, SchemaElement } from "hyparquet";
import { type ColumnSource, fileWriter, ParquetWriter } from "hyparquet-writer";
import { type ColumnType, toColumnValue } from "./column-type.ts";
import type { FileRow } from "./read-rows.ts";

/** A row group is written when it has this many rows or about this many bytes. */
const groupRows = 10_000;
const groupBytes = 32 * 1024 * 1024;

/** `image`: the whole image, in the form of Hugging Face's feature of that name. */
export type ParquetColumns = ReadonlyMap<string, ColumnType | "image">;

/** A cell of a column of images. */
export interface ImageCell {
  bytes: Uint8Array;
  path: string;
}

const text = { type: "BYTE_ARRAY", converted_type: "UTF8" } as const;

const parquetTypes: Record<ColumnType, Omit<SchemaElement, "name">> = {
  empty: text,
  text,
  json: text,
  integer: { type: "INT64" },
  number: { type: "DOUBLE" },
  boolean: { type: "BOOLEAN" },
};

/**
 * A Parquet file that is written row group by row group; every column allows nulls, and a row without a column has null
 * there. Without rows the file has no row group at all, which readers take for an empty table.
 */
export class ParquetFile {
  readonly #writer: ParquetWriter;
  readonly #columns: { name: string; type: ColumnType | "image"; data: unknown[] }[];
  #bytes = 0;
  #rows = 0;

  constructor(path: string, columns: ParquetColumns, kvMetadata?: KeyValue[]) {
    const schema: SchemaElement[] = [{ name: "root", num_children: columns.size }];
    for (const [name, type] of columns) schema.push(...elementsOf(name, type));
    const writer = fileWriter(path);
    const metadata = kvMetadata && { kvMetadata };
    this.#writer = new ParquetWriter({ writer, schema, createdBy: "imagemill", ...metadata });
    this.#columns = [...columns].map(([name, type]) => ({ name, type, data: [] }));
  }

  /** Adds a row; `bytes` is about what it takes in memory. */
  async add(row: Record<string, unknown>, bytes: number): Promise<void> {
    for (const { name, type, data } of this.#columns) {
      const value = Object.hasOwn(row, name) ? row[name] : null;
      data.push(type === "image" ? value : toColumnValue(value, type));
    }
    this.#rows++;
    this.#bytes += bytes;
    if (this.#rows >= groupRows || this.#bytes >= groupBytes) await this.#flush();
  }

  /** Writes what is left. */
  async finish(): Promise<void> {
    await this.#flush();
    await this.#writer.finish();
  }

  async #flush(): Promise<void> {
    const columnData = this.#columns.map(sourceOf);
    if (this.#rows > 0) await this.#writer.write({ columnData, rowGroupSize: this.#rows });
    for (const column of this.#columns) column.data = [];
    this.#bytes = 0;
    this.#rows = 0;
  }
}

function elementsOf(name: string, type: ColumnType | "image"): SchemaElement[] {
  const optional = { repetition_type: "OPTIONAL" } as const;
  if (type !== "image") return [{ name, ...parquetTypes[type], ...optional }];
  return [
    { name, num_children: 2, ...optional },
    { name: "bytes", type: "BYTE_ARRAY", ...optional },
    { name: "path", ...text, ...optional },
  ];
}

/** Images are compressed already, and no two are alike: neither a codec nor a dictionary is tried on them. */
function sourceOf({ name, type, data }: { name: string; type: string; data: unknown[] }) {
  const source: ColumnSource = { name, data };
  if (type !== "image") return source;
  return { ...source, codec: "UNCOMPRESSED", encoding: "PLAIN", statistics: false } as const;
}

/** Writes all rows into a Parquet file. */
export async function writeParquet(
  path: string,
  columns: ParquetColumns,
  rows: AsyncIterable<FileRow>,
): Promise<void> {
  const file = new ParquetFile(path, columns);
  for await (const { row, bytes } of rows) await file.add(row, bytes);
  await file.finish();
}
