import type { SchemaElement } from "hyparquet";
import { fileWriter, ParquetWriter } from "hyparquet-writer";
import { type ColumnType, toColumnValue } from "./column-type.ts";

/** A row group is written when it has this many rows or about this much text. */
const GROUP_ROWS = 10_000;
const GROUP_CHARACTERS = 32 * 1024 * 1024;

const parquetTypes: Record<ColumnType, Omit<SchemaElement, "name">> = {
  empty: { type: "BYTE_ARRAY", converted_type: "UTF8" },
  text: { type: "BYTE_ARRAY", converted_type: "UTF8" },
  json: { type: "BYTE_ARRAY", converted_type: "UTF8" },
  integer: { type: "INT64" },
  number: { type: "DOUBLE" },
  boolean: { type: "BOOLEAN" },
};

/**
 * Writes a Parquet file row group by row group; every column allows nulls, and a row without a column has null there.
 * Without rows the file has no row group at all, which readers take for an empty table.
 */
export async function writeParquet(
  path: string,
  columns: ReadonlyMap<string, ColumnType>,
  rows: AsyncIterable<Record<string, unknown>>,
): Promise<void> {
  const schema: SchemaElement[] = [{ name: "root", num_children: columns.size }];
  for (const [name, type] of columns)
    schema.push({ name, ...parquetTypes[type], repetition_type: "OPTIONAL" });
  const writer = new ParquetWriter({ writer: fileWriter(path), schema, createdBy: "imagemill" });
  const group = [...columns].map(([name, type]) => ({
    name,
    type,
    data: [] as ReturnType<typeof toColumnValue>[],
  }));
  let characters = 0;
  let count = 0;
  const flush = async () => {
    const columnData = group.map(({ name, data }) => ({ name, data }));
    if (count > 0) await writer.write({ columnData, rowGroupSize: count });
    for (const column of group) column.data = [];
    characters = 0;
    count = 0;
  };
  for await (const row of rows) {
    for (const { name, type, data } of group) {
      const value = toColumnValue(Object.hasOwn(row, name) ? row[name] : null, type);
      if (typeof value === "string") characters += value.length;
      data.push(value);
    }
    count++;
    if (count >= GROUP_ROWS || characters >= GROUP_CHARACTERS) await flush();
  }
  await flush();
  await writer.finish();
}
