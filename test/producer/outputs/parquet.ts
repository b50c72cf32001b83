import { join } from "node:path";
import {
  asyncBufferFromFile,
  parquetMetadataAsync,
  parquetReadObjects,
  parquetSchema,
} from "hyparquet";

function plain(value: unknown): unknown {
  return typeof value === "bigint" ? Number(value) : value;
}

/** The rows of `metadata.parquet`, whole numbers as numbers. */
export async function parquetRows(directory: string): Promise<Record<string, unknown>[]> {
  const rows = await parquetReadObjects({
    file: await asyncBufferFromFile(join(directory, "metadata.parquet")),
  });
  return rows.map((row) =>
    Object.fromEntries(Object.entries(row).map(([name, value]) => [name, plain(value)])),
  );
}

/** The type of each column of `metadata.parquet`. */
export async function parquetTypes(directory: string): Promise<Record<string, string | undefined>> {
  const metadata = await parquetMetadataAsync(
    await asyncBufferFromFile(join(directory, "metadata.parquet")),
  );
  const { children } = parquetSchema(metadata);
  return Object.fromEntries(children.map(({ element }) => [element.name, element.type]));
}
