import { hash } from "node:crypto";
import { cutText } from "../../shared/cut-text.ts";
import type { DatasetSource } from "../../shared/run-file.ts";
import { parseJson } from "./parse-json.ts";
import { isRecord, plainRecord } from "./plain-record.ts";
import { excerpt } from "./raw-record.ts";

/** Bytes of UTF-8 that a prompt may have. */
const maxPromptBytes = 1024 * 1024;
const maxDepth = 100;

/** Which columns of a row mean what. */
export type RowColumns = Pick<
  DatasetSource,
  "promptColumn" | "idColumn" | "paramsColumn" | "paramFrom"
>;

/**
 * One row of a dataset. `index` is its 0-based position, rejected rows counted; `row` is one more; `line` is where it begins
 * in the file, from 1, where the format has lines. `hash` stands for all
 * that was read of it: the same row gives the same 16 hexadecimal digits.
 */
export type DatasetRow = { index: number; row: number; line?: number; hash: string } & (
  | {
      ok: true;
      prompt: string;
      id?: string;
      /** All columns but the prompt's and the parameters'. */
      columns: Record<string, unknown>;
      /** From the parameters' column and from `paramFrom`, not validated. */
      parameters: Record<string, unknown>;
      /** Of all that was read of it, as JSON. */
      characters: number;
    }
  | { ok: false; reason: string; /** At most 200 characters. */ raw: string }
);

/** Why a row is no prompt. */
class RowProblem extends Error {}

/**
 * Makes a row of one value: an object with the named columns, or a text that is the prompt itself.
 * What is no good prompt becomes a rejected row that says what was expected and what came.
 * @param raw the row as it stood in the dataset, for the rejected row
 */
export function buildRow(
  value: unknown,
  index: number,
  columns: RowColumns,
  raw: Buffer | string,
): DatasetRow {
  try {
    checkText(value, "the row", 0);
    const fields = typeof value === "string" ? { [columns.promptColumn]: value } : asObject(value);
    const prompt = promptOf(fields, columns.promptColumn);
    const id = idOf(fields, columns.idColumn);
    const parameters = parametersOf(fields, columns);
    const others = otherColumns(fields, columns);
    const text = JSON.stringify([prompt, id ?? null, parameters, others]);
    return {
      index,
      row: index + 1,
      hash: shortHash(text),
      ok: true,
      prompt,
      ...(id !== undefined && { id }),
      columns: others,
      parameters,
      characters: text.length,
    };
  } catch (error) {
    if (error instanceof RowProblem) return rejectedRow(error.message, index, raw);
    throw error;
  }
}

/** Where a row stands, for people. */
export function placeOf({ row, line }: DatasetRow): { row: number; line?: number } {
  return { row, ...(line !== undefined && { line }) };
}

/** A row that is no prompt, with the reason and the start of what was read. */
export function rejectedRow(reason: string, index: number, raw: Buffer | string): DatasetRow {
  const beginning = excerpt(raw);
  return {
    index,
    row: index + 1,
    hash: shortHash(JSON.stringify(["rejected", beginning])),
    ok: false,
    reason,
    raw: beginning,
  };
}

function shortHash(text: string): string {
  return hash("sha256", text, "hex").slice(0, 16);
}

function asObject(value: unknown): Record<string, unknown> {
  if (isRecord(value)) return value;
  throw new RowProblem(`expected an object or a text, got ${described(value)}`);
}

function promptOf(fields: Record<string, unknown>, column: string): string {
  const prompt = field(fields, column);
  if (typeof prompt !== "string") {
    throw new RowProblem(
      `expected the prompt in column \`${column}\` to be text, got ${described(prompt)}`,
    );
  }
  if (prompt.trim() === "") {
    const got = prompt === "" ? "an empty text" : "only white space";
    throw new RowProblem(`expected a prompt in column \`${column}\`, got ${got}`);
  }
  const bytes = Buffer.byteLength(prompt);
  if (bytes > maxPromptBytes) {
    const [got, most] = [bytes, maxPromptBytes].map((count) => count.toLocaleString("en-US"));
    throw new RowProblem(`expected a prompt of at most ${most} bytes, got ${got}`);
  }
  return prompt;
}

function idOf(fields: Record<string, unknown>, column: string | undefined): string | undefined {
  if (column === undefined) return undefined;
  const id = field(fields, column) ?? "";
  if (typeof id === "string" || typeof id === "number") return id === "" ? undefined : String(id);
  throw new RowProblem(
    `expected the id in column \`${column}\` to be text or a number, got ${described(id)}`,
  );
}

function parametersOf(
  fields: Record<string, unknown>,
  columns: RowColumns,
): Record<string, unknown> {
  const parameters = plainRecord();
  const { paramsColumn } = columns;
  if (paramsColumn !== undefined) {
    for (const [name, value] of Object.entries(
      paramsObject(field(fields, paramsColumn), paramsColumn),
    )) {
      parameters[name] = value;
    }
  }
  for (const [name, column] of Object.entries(columns.paramFrom)) {
    const value = field(fields, column);
    if (value !== undefined && value !== null && value !== "") parameters[name] = value;
  }
  return parameters;
}

function paramsObject(value: unknown, column: string): Record<string, unknown> {
  let parsed = value;
  if (typeof value === "string") {
    if (value.trim() === "") return {};
    try {
      parsed = parseJson(value);
    } catch {
      throw new RowProblem(
        `expected the parameters in column \`${column}\` to be a JSON object, got ${described(value)}`,
      );
    }
    checkText(parsed, `column \`${column}\``, 0);
  }
  if (parsed === undefined || parsed === null) return {};
  if (isRecord(parsed)) return parsed;
  throw new RowProblem(
    `expected the parameters in column \`${column}\` to be a JSON object, got ${described(parsed)}`,
  );
}

function otherColumns(
  fields: Record<string, unknown>,
  columns: RowColumns,
): Record<string, unknown> {
  const others = plainRecord();
  for (const [name, value] of Object.entries(fields)) {
    if (name !== columns.promptColumn && name !== columns.paramsColumn) others[name] = value;
  }
  return others;
}

function field(fields: Record<string, unknown>, column: string): unknown {
  return Object.hasOwn(fields, column) ? fields[column] : undefined;
}

/** Refuses text that has no UTF-8 form, and nesting that would overflow what reads it later. */
function checkText(value: unknown, where: string, depth: number): void {
  if (typeof value === "string") {
    if (!value.isWellFormed())
      throw new RowProblem(
        `expected Unicode text, got half a character (a lone surrogate) in ${where}`,
      );
  } else if (typeof value === "object" && value !== null) {
    if (depth >= maxDepth)
      throw new RowProblem(`expected at most ${maxDepth} levels of nesting, got more in ${where}`);
    for (const [name, inner] of Object.entries(value)) {
      if (!name.isWellFormed())
        throw new RowProblem(`expected Unicode text, got a lone surrogate in a column's name`);
      checkText(inner, depth === 0 ? `column \`${name}\`` : where, depth + 1);
    }
  }
}

function described(value: unknown): string {
  if (value === undefined) return "no value";
  if (value === null) return "null";
  if (Array.isArray(value)) return "an array";
  if (typeof value === "object") return "an object";
  const text = typeof value === "string" ? value : JSON.stringify(value);
  return `the ${typeof value} \`${text.length > 40 ? `${cutText(text, 40)}…` : text}\``;
}
