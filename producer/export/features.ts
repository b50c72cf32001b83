import type { ColumnType } from "../outputs/column-type.ts";
import { yamlString } from "../outputs/markdown.ts";

/** Types of columns as Hugging Face `datasets` names them; nested values are JSON text, as in `metadata.parquet`. */
const dtypes: Record<ColumnType | "image", string> = {
  empty: "string",
  text: "string",
  json: "string",
  integer: "int64",
  number: "float64",
  boolean: "bool",
  image: "image",
};

/** The columns as the metadata `huggingface` of a Parquet file has them. */
export function featuresJson(columns: ReadonlyMap<string, ColumnType | "image">): string {
  const features = Object.fromEntries(
    [...columns].map(([name, type]) => [
      name,
      type === "image" ? { _type: "Image" } : { dtype: dtypes[type], _type: "Value" },
    ]),
  );
  return JSON.stringify({ info: { features } });
}

/** The columns as a dataset card has them. */
export function featuresYaml(columns: ReadonlyMap<string, ColumnType | "image">): string[] {
  return [...columns].flatMap(([name, type]) => [
    `- name: ${yamlString(name)}`,
    `  dtype: ${dtypes[type]}`,
  ]);
}
