import type { ColumnType } from "../outputs/column-type.ts";

/**
 * A row as readers want it that guess types from JSON: every column in it, each of one type. Nested values are JSON text, as
 * in `metadata.parquet`.
 */
export function typedRow(
  row: Record<string, unknown>,
  columns: ReadonlyMap<string, ColumnType>,
): Record<string, unknown> {
  return Object.fromEntries(
    [...columns].map(([name, type]) => {
      const value = Object.hasOwn(row, name) ? (row[name] ?? null) : null;
      return [name, type === "json" && value !== null ? JSON.stringify(value) : value];
    }),
  );
}
