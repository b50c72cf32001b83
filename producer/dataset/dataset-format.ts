import { DatasetFormat } from "../../shared/run-file.ts";
import { didYouMean } from "../../shared/near-match.ts";
import { UsageError } from "../../shared/usage-error.ts";

const formatsByExtension: Record<string, DatasetFormat> = {
  jsonl: "jsonl",
  ndjson: "jsonl",
  json: "json",
  csv: "csv",
  tsv: "tsv",
  txt: "txt",
};

/**
 * The format of a dataset: the one that was given, else the one its extension stands for (before a final `.gz`).
 * @throws UsageError where neither tells
 */
export function formatOf(path: string, given?: string): DatasetFormat {
  const names = DatasetFormat.options;
  if (given !== undefined) {
    const format = DatasetFormat.safeParse(given);
    if (format.success) return format.data;
    throw new UsageError(
      `Expected --format to be one of ${names.join(", ")}, got \`${given}\`${didYouMean(given, names)}`,
    );
  }
  const extension = /\.([^./\\]+)(?:\.gz)?$/i.exec(path)?.[1]?.toLowerCase() ?? "";
  const format = Object.hasOwn(formatsByExtension, extension)
    ? formatsByExtension[extension]
    : undefined;
  if (format) return format;
  const known = Object.keys(formatsByExtension).map((name) => `.${name}`);
  throw new UsageError(
    `Cannot tell the format of ${path} from its name: expected it to end in ${known.join(", ")} (or one of these and .gz). ` +
      `Say it with --format ${names.join("|")}`,
  );
}
