import type { Report } from "./play.ts";

/** A report as one line for people. */
export function reportLine(report: Report): string {
  const { id, title, faults, verdict, recovery, throughput, note } = report;
  return [
    `${faults.length === 0 ? "pass" : "FAIL"}  ${id.padEnd(4)}${title}`,
    ...(verdict
      ? [
          `${verdict.prompts} prompts, ${verdict.images} images, ${verdict.calls} calls`,
          `lost ${verdict.lost}, doubled ${verdict.doubled}, false failures ${verdict.falseFailures}`,
          `bought twice ${verdict.boughtTwice} (${share(verdict.boughtTwice, verdict.calls)}; at most ${report.mayBuyTwice})`,
        ]
      : []),
    ...(recovery
      ? [`recovery ${[recovery.p50, recovery.p95, recovery.max].map(decimal).join("/")} s`]
      : []),
    ...(throughput
      ? [`${decimal(throughput.during)} prompts/s during, ${decimal(throughput.after)} after`]
      : []),
    `Redis ${decimal(report.peakRedisMb)} MB, RSS ${Math.round(report.peakRssMb)} MB`,
    `log ${decimal(report.logLinesPerSecond)} lines/s`,
    ...(note === undefined ? [] : [note]),
    `seed ${report.seed}, ${decimal(report.seconds)} s`,
  ].join("; ");
}

function decimal(value: number): string {
  return value.toFixed(1);
}

function share(part: number, whole: number): string {
  return `${((100 * part) / Math.max(1, whole)).toFixed(2)} %`;
}
