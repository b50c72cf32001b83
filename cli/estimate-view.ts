import type { RunSurvey } from "../library/survey-run.ts";
import type { CallPrice } from "../shared/call-price.ts";
import { isPublicHost, type Profile } from "../shared/profile.ts";
import { printable } from "../shared/printable.ts";
import { count, formatSeconds, plural } from "../shared/quantity.ts";
import type { Io } from "./io.ts";

/** How a run would be made: what its time depends on. */
export interface EstimateBasis {
  profile: Profile;
  /** Calls in flight at once. */
  concurrency: number;
}

/** Seconds that the images take: at the limit that was given, else at the highest and the lowest that accounts have. */
export interface TimeSpan {
  atLeast: number;
  atMost: number;
}

/** Undefined where no limit is known: at a server of one's own, and for most models. */
function estimateTime(
  { images, calls, tokens = 0, card, limits: given }: RunSurvey,
  { profile }: EstimateBasis,
): TimeSpan | undefined {
  const { imagesPerMinute = Infinity, requestsPerMinute = Infinity } = given;
  const { tokensPerMinute = Infinity } = given;
  const minutes = [images / imagesPerMinute, calls / requestsPerMinute, tokens / tokensPerMinute];
  const known = Math.ceil(60 * Math.max(...minutes));
  if (known > 0) return { atLeast: known, atMost: known };
  const limits = card.imagesPerMinute;
  if (!limits || !isPublicHost(profile)) return undefined;
  const seconds = (perMinute: number) => Math.ceil((images / perMinute) * 60);
  return { atLeast: seconds(Math.max(...limits)), atMost: seconds(Math.min(...limits)) };
}

/** US dollars: cents from a dollar up, below it three digits that say something. */
export function formatUsd(usd: number): string {
  const short = String(Number(usd.toPrecision(3)));
  return usd >= 1 || short.length < 4 ? `$${usd.toFixed(2)}` : `$${short}`;
}

/** What calls cost, in words. */
function costText(cost: CallPrice | undefined): string {
  if (!cost) return "not known (--price-per-image tells it)";
  const { expectedUsd, atMostUsd } = cost;
  // A little is due to prompts, whose tokens are counted by the provider alone.
  const isOpen = atMostUsd > expectedUsd * 1.5;
  return `about ${formatUsd(expectedUsd)}${isOpen ? `, at most ${formatUsd(atMostUsd)}` : ""}`;
}

function timeText(survey: RunSurvey, basis: EstimateBasis): string {
  const time = estimateTime(survey, basis);
  if (time) {
    const { atLeast, atMost } = time;
    if (atLeast === atMost) return `at least ${formatSeconds(atLeast)} at the limits given`;
    return `${formatSeconds(atLeast)} to ${formatSeconds(atMost)} at the provider's known limits`;
  }
  const rounds = Math.ceil(survey.calls / basis.concurrency);
  return `not known: as long as ${rounds > 1 ? `${count(rounds)} calls in a row take` : "one call takes"}`;
}

function budgetText({ maxCostUsd }: RunSurvey): string {
  return maxCostUsd === null ? "" : `, the run stops at ${formatUsd(maxCostUsd)}`;
}

/** The line before the first call. */
export function estimateLine(survey: RunSurvey, basis: EstimateBasis): string {
  const { prompts, calls, images, rejected } = survey;
  const bad = rejected > 0 ? `, ${plural(rejected, "row")} rejected` : "";
  const cost = `${survey.cost ? "" : "cost "}${costText(survey.cost)}${budgetText(survey)}`;
  const time = `${estimateTime(survey, basis) ? "" : "time "}${timeText(survey, basis)}`;
  return `${plural(calls, "call")} for ${plural(images, "image")} of ${plural(prompts, "prompt")}${bad}; ${cost}; ${time}`;
}

/** Prints what `--dry-run` found: one JSON object, or a few lines for people. */
export function printDryRun(io: Io, survey: RunSurvey, basis: EstimateBasis, json: boolean): void {
  const text = json
    ? JSON.stringify(dryRunObject(survey, basis))
    : printable(dryRunLines(survey, basis).join("\n"));
  io.stdout.write(`${text}\n`);
}

function dryRunLines(survey: RunSurvey, basis: EstimateBasis): string[] {
  const { prompts, settled, calls, images, rejected, rejections, cost } = survey;
  const more = rejected - rejections.length;
  return [
    "dry run: nothing is sent, nothing is written",
    `  prompts   ${count(prompts)}${settled > 0 ? `, and ${count(settled)} settled already` : ""}`,
    `  calls     ${count(calls)} for ${plural(images, "image")}`,
    `  cost      ${cost && calls === 0 ? "nothing" : costText(cost)}${budgetText(survey)}`,
    `  time      ${timeText(survey, basis)}`,
    `  rejected  ${plural(rejected, "row")}`,
    ...rejections.map(
      ({ row, line, reason }) =>
        `    row ${row}${line === undefined ? "" : ` (line ${line})`}: ${reason}`,
    ),
    ...(more > 0 ? [`    and ${count(more)} more`] : []),
  ];
}

function dryRunObject(survey: RunSurvey, basis: EstimateBasis): Record<string, unknown> {
  const { cost, tokens, card, limits: _, maxCostUsd, warnings: __, ...counts } = survey;
  return {
    dryRun: true,
    provider: basis.profile.name,
    model: card.id,
    ...counts,
    tokens: tokens === undefined ? null : Math.round(tokens),
    costUsd: cost ? round(cost.expectedUsd) : null,
    maxCostUsd,
    costAtMostUsd: cost ? round(cost.atMostUsd) : null,
    seconds: estimateTime(survey, basis) ?? null,
  };
}

function round(usd: number): number {
  return Math.round(usd * 1e6) / 1e6;
}
