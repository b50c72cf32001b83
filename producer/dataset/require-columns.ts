import { cutText } from "../../shared/cut-text.ts";
import { didYouMean, nearMatch } from "../../shared/near-match.ts";
import { UsageError } from "../../shared/usage-error.ts";
import type { RowColumns } from "./build-row.ts";

/** A column that a flag names. */
interface NamedColumn {
  column: string;
  flag: string;
  /** A row may do without it. */
  optional: boolean;
}

function namedColumns(columns: RowColumns): NamedColumn[] {
  const named: NamedColumn[] = [
    { column: columns.promptColumn, flag: "--prompt-column", optional: false },
  ];
  if (columns.idColumn !== undefined)
    named.push({ column: columns.idColumn, flag: "--id-column", optional: false });
  if (columns.paramsColumn !== undefined) {
    named.push({ column: columns.paramsColumn, flag: "--params-column", optional: true });
  }
  for (const [parameter, column] of Object.entries(columns.paramFrom)) {
    named.push({ column, flag: `--param-from ${parameter}=`, optional: true });
  }
  return named;
}

/**
 * Checks that a header has every column that was named.
 * @throws UsageError with the columns found and the near match
 */
export function requireHeader(header: readonly string[], columns: RowColumns, path: string): void {
  for (const named of namedColumns(columns)) {
    if (!header.includes(named.column)) throw missing(named, header, `${path} has no such column`);
  }
}

/**
 * Checks the first object of a JSON dataset as {@link requireHeader} does. Parameters may be left out of a row, so for
 * their columns only a name that looks mistyped is refused.
 * @throws UsageError with the columns found and the near match
 */
export function requireInFirstObject(first: object, columns: RowColumns, path: string): void {
  const found = Object.keys(first);
  for (const named of namedColumns(columns)) {
    if (found.includes(named.column)) continue;
    if (named.optional && nearMatch(named.column, found) === undefined) continue;
    throw missing(named, found, `the first row of ${path} has none`);
  }
}

function missing(named: NamedColumn, found: readonly string[], problem: string): UsageError {
  const shown = found.slice(0, 30).map((name) => `\`${shortName(name)}\``);
  if (found.length > shown.length) shown.push(`${found.length - shown.length} more`);
  return new UsageError(
    `Expected a column \`${named.column}\` (${named.flag}), ${problem}${didYouMean(named.column, found) || "."} ` +
      `Columns found: ${shown.length > 0 ? shown.join(", ") : "none"}`,
  );
}

/** What is no table at all may have a "name" of many megabytes. */
function shortName(name: string): string {
  return name.length > 60 ? `${cutText(name, 60)}…` : name;
}
