import type { RunSummary } from "../shared/run-file.ts";
import { printable } from "../shared/printable.ts";
import { count, formatSeconds, plural } from "../shared/quantity.ts";
import type { Io } from "./io.ts";
import { formatUsd } from "./estimate-view.ts";

const titles: Record<RunSummary["state"], string> = {
  completed: "complete: every prompt has all its images",
  completed_with_failures: "finished, but not every prompt has all its images",
  stopped: "stopped before the end",
  cancelled: "cancelled",
};

/** How a summary is shown. */
export interface SummaryViewOptions {
  json: boolean;
  /** Nothing was really paid. */
  isSimulated: boolean;
}

/** Prints what a run came to: one JSON object, or a few lines for people. */
export function printSummary(
  io: Io,
  summary: RunSummary,
  { json, isSimulated }: SummaryViewOptions,
): void {
  if (json) {
    io.stdout.write(`${JSON.stringify(summary)}\n`);
    return;
  }
  io.stdout.write(printable(`${summaryLines(summary, isSimulated).join("\n")}\n`));
}

function summaryLines(summary: RunSummary, isSimulated: boolean): string[] {
  const { prompts, images, calls, retries, throttled, costUsd, mayCostUsd, out } = summary;
  const bad = [
    prompts.partial > 0 ? `${count(prompts.partial)} partial` : "",
    prompts.failed > 0 ? `${count(prompts.failed)} failed` : "",
    prompts.rejected > 0 ? `${count(prompts.rejected)} rejected` : "",
  ].filter((part) => part !== "");
  return [
    `run ${summary.run} ${titles[summary.state]}`,
    ...(summary.reason === undefined ? [] : [`  why       ${summary.reason}`]),
    `  prompts   ${count(prompts.succeeded)} succeeded${bad.map((part) => `, ${part}`).join("")}`,
    `  images    ${count(images)} by ${plural(calls, "call")}, ${plural(retries, "retry", "retries")}, ${count(throttled)} throttled`,
    `  cost      ${costUsd === null ? "not known" : `$${costUsd.toFixed(2)}`}${isSimulated ? " (simulated)" : ""}`,
    ...(mayCostUsd === undefined
      ? []
      : [`            at most ${formatUsd(mayCostUsd)} more, where calls that broke are charged`]),
    `  time      ${formatSeconds(summary.seconds)}`,
    `  look      ${out}/index.html`,
    ...(images === 0 ? ["  load      nothing: no image was made"] : []),
    ...(prompts.partial + prompts.failed > 0 ? [`  failures  imagemill failures ${out}`] : []),
  ];
}
