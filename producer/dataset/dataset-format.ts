import { DatasetFormat } from "../../shared/run-file.ts";
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
 * The format that a dataset's extension stands for (before a final `.gz`).
 * @throws UsageError where it tells none
 */
export function formatOf(path: string): DatasetFormat {
  const extension = /\.([^./\\]+)(?:\.gz)?$/i.exec(path)?.[1]?.toLowerCase() ?? "";
  const format = Object.hasOwn(formatsByExtension, extension)
    ? formatsByExtension[extension]
    : undefined;
  if (format) return format;
  const known = Object.keys(formatsByExtension).map((name) => `.${name}`);
  throw new UsageError(
    `Cannot tell the format of ${path} from its name: expected it to end in ${known.join(", ")} (or one of these and .gz). ` +
      `Say it with --format ${DatasetFormat.options.join("|")}`,
  );
}
