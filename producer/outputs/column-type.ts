/** What all values of a column are; `empty`: nothing but null; `json`: nested or of several kinds, kept as JSON text. */
export type ColumnType = "empty" | "integer" | "number" | "boolean" | "text" | "json";

/** The type of one value. */
export function typeOfValue(value: unknown): ColumnType {
  if (value === null || value === undefined) return "empty";
  if (typeof value === "boolean") return "boolean";
  if (typeof value === "string") return "text";
  if (typeof value !== "number") return "json";
  return Number.isSafeInteger(value) ? "integer" : "number";
}

/** The narrowest type that holds the values of both. */
export function commonType(a: ColumnType, b: ColumnType): ColumnType {
  if (a === b || b === "empty") return a;
  if (a === "empty") return b;
  const numeric = (type: ColumnType) => type === "integer" || type === "number";
  return numeric(a) && numeric(b) ? "number" : "json";
}

/** A value as a Parquet column of that type holds it. */
export function toColumnValue(
  value: unknown,
  type: ColumnType,
): string | number | bigint | boolean | null {
  if (value === null || value === undefined) return null;
  if (type === "json") return JSON.stringify(value);
  if (type === "integer" && typeof value === "number") return BigInt(value);
  if (typeof value === "string" || typeof value === "number" || typeof value === "boolean")
    return value;
  throw new Error(`Expected a value of type ${type}, got ${typeof value}`);
}
