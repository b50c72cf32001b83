import type { JournalLine, JournalRow } from "../../shared/journal-line.ts";
import type { RunFile } from "../../shared/run-file.ts";
import { ColumnNames } from "./column-names.ts";
import { type ColumnType, commonType, typeOfValue } from "./column-type.ts";

const ownColumns: Record<string, ColumnType> = {
  file_name: "text",
  prompt: "text",
  index: "integer",
  generation: "integer",
  model: "text",
  width: "integer",
  height: "integer",
  sha256: "text",
  bytes: "integer",
  seed: "integer",
  revised_prompt: "text",
  cost_usd: "number",
  recovered: "boolean",
};

/** True for names that Hugging Face `datasets` gives a meaning of its own in an image folder, and for ours. */
function isReserved(name: string, hasId: boolean): boolean {
  if (name === "image" || name === "images" || name === "label") return true;
  if (/file_names?$/.test(name)) return true;
  return Object.hasOwn(ownColumns, name) || (hasId && name === "id");
}

/** Turns journal lines into rows of one image each, and learns which columns there are and of which types. */
export class ImageColumns {
  readonly #run: RunFile;
  readonly #names: ColumnNames;
  /** Of the dataset's columns, in the order they were first seen. */
  readonly #types = new Map<string, ColumnType>();

  constructor(run: RunFile) {
    this.#run = run;
    this.#names = new ColumnNames((name) => isReserved(name, run.source.idColumn !== undefined));
  }

  /** All columns of the rows given so far, ours first. */
  get columns(): Map<string, ColumnType> {
    const columns = new Map(Object.entries(ownColumns));
    if (this.#run.source.idColumn !== undefined) columns.set("id", "text");
    for (const [name, type] of this.#types) columns.set(name, type);
    return columns;
  }

  /** The rows of one line, by generation. Keys are in the order of the columns; ours are always there. */
  rows(line: JournalLine): Record<string, unknown>[] {
    if (line.images.length === 0) return [];
    const others = this.#others(line.row);
    const { id, prompt } = line.row ?? {};
    const images = line.images.toSorted((a, b) => a.generation - b.generation);
    const hasId = this.#run.source.idColumn !== undefined;
    return images.map((image) => ({
      file_name: image.file,
      prompt: prompt ?? null,
      index: line.index,
      generation: image.generation,
      model: this.#run.model,
      width: image.width,
      height: image.height,
      sha256: image.sha256,
      bytes: image.bytes,
      seed: image.seed ?? null,
      revised_prompt: image.revisedPrompt ?? null,
      cost_usd: image.costUsd ?? null,
      recovered: image.recovered ?? false,
      ...(hasId && { id: id ?? null }),
      ...others,
    }));
  }

  #others(row: JournalRow | undefined): Record<string, unknown> {
    const named = otherColumns(row, this.#run).map(([column, value]): [string, unknown] => {
      const name = this.#names.nameOf(column);
      this.#types.set(name, commonType(this.#types.get(name) ?? "empty", typeOfValue(value)));
      return [name, value];
    });
    return Object.fromEntries(named);
  }
}

/** The dataset's columns that an output has besides ours: an id column named `id` is already there as ours. */
export function otherColumns(row: JournalRow | undefined, run: RunFile): [string, unknown][] {
  return Object.entries(row?.columns ?? {}).filter(
    ([column]) => column !== "id" || run.source.idColumn !== "id",
  );
}
