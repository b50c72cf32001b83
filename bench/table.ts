import type { Measure, Row } from "./row.ts";
import { median } from "./row.ts";

/** What a row came to. */
export interface RowEnd {
  row: Row;
  measures: Measure[];
}

function digits(value: number): string {
  if (value === 0) return "0";
  if (Math.abs(value) >= 100) return Math.round(value).toLocaleString("en-US");
  return String(Number(value.toPrecision(3)));
}

/** The median, and the smallest and the largest value where there are several. */
function withSpread(values: readonly number[]): string {
  const middle = digits(median(values));
  if (values.length === 1) return middle;
  return `${middle} (${digits(Math.min(...values))}–${digits(Math.max(...values))})`;
}

/** The lines of a Markdown table. */
export function tableOf(ends: readonly RowEnd[]): string {
  const lines = ends.flatMap(({ row, measures }) =>
    measures.map((measure) => [
      row.name,
      measure.name,
      measure.unit,
      withSpread(measure.baseline),
      withSpread(measure.imagemill),
      measure.ratio.toFixed(3),
      measure.target,
      measure.reached ? "yes" : "**no**",
    ]),
  );
  const head = ["row", "measure", "unit", "baseline", "imagemill", "ratio", "target", "reached"];
  return [head, head.map(() => "---"), ...lines]
    .map((cells) => `| ${cells.join(" | ")} |`)
    .join("\n");
}
