import { isUtf8 } from "node:buffer";
import { plural } from "../../shared/quantity.ts";
import type { DatasetFormat, DatasetSource } from "../../shared/run-file.ts";
import { UsageError } from "../../shared/usage-error.ts";
import { buildRow, type DatasetRow, rejectedRow } from "./build-row.ts";
import { readDatasetBytes } from "./dataset-bytes.ts";
import { parseJson } from "./parse-json.ts";
import { isRecord, plainRecord } from "./plain-record.ts";
import type { RawRecord } from "./raw-record.ts";
import { readDelimited } from "./read-delimited.ts";
import { readLines } from "./read-lines.ts";
import { requireHeader, requireInFirstObject } from "./require-columns.ts";
import { splitJsonArray } from "./split-json-array.ts";

/**
 * Reads a dataset row by row, in its order and in bounded memory. A row that is no good prompt comes as a rejected row and
 * reading goes on. Blank lines are no rows, except inside a quoted field.
 * @throws UsageError where the file cannot be read, is not of its format at all, or lacks a column that was named
 */
export function readDataset(source: DatasetSource): AsyncIterable<DatasetRow> {
  const bytes = readDatasetBytes(source.path);
  const readers: Record<DatasetFormat, () => AsyncIterable<DatasetRow>> = {
    jsonl: () => jsonRows(readLines(bytes), source),
    json: () => jsonRows(splitJsonArray(bytes, source.path), source),
    csv: () => delimitedRows(bytes, ",", source),
    tsv: () => delimitedRows(bytes, "\t", source),
    txt: () => textRows(bytes, source),
  };
  return readers[source.format]();
}

async function* jsonRows(
  records: AsyncIterable<RawRecord>,
  source: DatasetSource,
): AsyncGenerator<DatasetRow> {
  let index = 0;
  let firstObjectSeen = false;
  for await (const record of records) {
    const parsed = parseRecord(record);
    if ("problem" in parsed) {
      yield at(record.line, rejectedRow(parsed.problem, index++, record.bytes));
      continue;
    }
    const { value } = parsed;
    if (!firstObjectSeen && isRecord(value)) {
      firstObjectSeen = true;
      requireInFirstObject(value, source, source.path);
    }
    yield at(record.line, buildRow(value, index++, source, record.bytes));
  }
}

/** The row with its line, where it has one. */
function at(line: number | undefined, row: DatasetRow): DatasetRow {
  if (line !== undefined) row.line = line;
  return row;
}

function parseRecord(record: RawRecord): { value: unknown } | { problem: string } {
  const text = decode(record);
  if ("problem" in text) return text;
  try {
    return { value: parseJson(text.value) };
  } catch (error) {
    return {
      problem: `expected JSON, got what is not: ${error instanceof Error ? error.message : "unreadable"}`,
    };
  }
}

function decode(record: RawRecord): { value: string } | { problem: string } {
  if (record.problem !== undefined) return { problem: record.problem };
  if (!isUtf8(record.bytes)) return { problem: "expected UTF-8, got bytes that are not" };
  return { value: record.bytes.toString("utf8") };
}

async function* textRows(
  bytes: AsyncIterable<Buffer>,
  source: DatasetSource,
): AsyncGenerator<DatasetRow> {
  requireHeader([source.promptColumn], source, source.path);
  let index = 0;
  for await (const line of readLines(bytes)) {
    const text = decode(line);
    const row =
      "problem" in text
        ? rejectedRow(text.problem, index++, line.bytes)
        : buildRow(text.value, index++, source, line.bytes);
    yield at(line.line, row);
  }
}

async function* delimitedRows(
  bytes: AsyncIterable<Buffer>,
  delimiter: "," | "\t",
  source: DatasetSource,
): AsyncGenerator<DatasetRow> {
  let header: string[] | undefined;
  let index = 0;
  for await (const record of readDelimited(bytes, delimiter)) {
    if (!header) {
      header = headerOf(record, source);
      continue;
    }
    if ("problem" in record) {
      yield at(record.line, rejectedRow(record.problem, index++, record.bytes));
    } else if (record.fields.length !== header.length) {
      const reason = `expected ${plural(header.length, "column")} (as in the header), got ${record.fields.length}`;
      yield at(record.line, rejectedRow(reason, index++, record.bytes));
    } else {
      const fields = plainRecord();
      for (const [position, name] of header.entries()) fields[name] = record.fields[position];
      yield at(record.line, buildRow(fields, index++, source, record.bytes));
    }
  }
  if (!header)
    throw new UsageError(
      `Expected a header with column names in ${source.path}, the file is empty`,
    );
}

/** The column names; one without a name is called after its position, a repeated one gets its position added. */
function headerOf(
  record: { fields: string[] } | { problem: string },
  source: DatasetSource,
): string[] {
  if ("problem" in record)
    throw new UsageError(`Cannot read the header of ${source.path}: ${record.problem}`);
  requireHeader(record.fields, source, source.path);
  const names = new Set<string>();
  for (const [position, field] of record.fields.entries()) {
    if (field === source.promptColumn && names.has(field)) {
      throw new UsageError(
        `Expected one column \`${field}\` in ${source.path}, its header has several`,
      );
    }
    let name = field === "" ? `column_${position + 1}` : field;
    while (names.has(name)) name = `${name}_${position + 1}`;
    names.add(name);
  }
  return [...names];
}
