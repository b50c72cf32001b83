import type { AnswerHeaders } from "./answer-reader.ts";

/** No provider means more than a day; a larger number is a mistake of theirs. */
const maxWaitMs = 24 * 60 * 60 * 1000;

const unitMs: Record<string, number> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 };

/**
 * How long a provider asks to wait, in milliseconds: `retry-after-ms`, `retry-after` (seconds or a date), else "try again in
 * 1m30s" in the message, else the shortest `x-ratelimit-reset-*` of a limit that is used up. A date counts from the answer's
 * own `date`, since the clock here may be wrong; without one from `now`. Undefined where it says nothing.
 */
export function readRetryAfter(
  headers: AnswerHeaders,
  message: string,
  now: number = Date.now(),
): number | undefined {
  const waitMs =
    toNumber(headers.get("retry-after-ms")) ??
    readRetryAfterHeader(headers.get("retry-after"), sentAt(headers) ?? now) ??
    fromMessage(message) ??
    untilReset(headers);
  return waitMs === undefined ? undefined : Math.min(maxWaitMs, Math.max(0, Math.round(waitMs)));
}

function untilReset(headers: AnswerHeaders): number | undefined {
  const usedUp = [...headers.entries()].flatMap(([name, remaining]) => {
    const unit = /^x-ratelimit-remaining-(.+)$/.exec(name)?.[1];
    const isUsedUp = unit !== undefined && Number(remaining) === 0;
    return isUsedUp ? (durationMs(headers.get(`x-ratelimit-reset-${unit}`) ?? "") ?? []) : [];
  });
  return usedUp.length > 0 ? Math.min(...usedUp) : undefined;
}

/** When the answer was sent, by the provider's clock. */
function sentAt(headers: AnswerHeaders): number | undefined {
  const date = Date.parse(headers.get("date") ?? "");
  return Number.isNaN(date) ? undefined : date;
}

function toNumber(text: string | null): number | undefined {
  return text !== null && /^\s*\d+(\.\d+)?\s*$/.test(text) ? Number(text) : undefined;
}

function readRetryAfterHeader(value: string | null, now: number): number | undefined {
  if (value === null) return undefined;
  const seconds = toNumber(value);
  if (seconds !== undefined) return seconds * 1000;
  const date = Date.parse(value);
  return Number.isNaN(date) ? undefined : date - now;
}

const duration = String.raw`(?:\d+(?:\.\d+)?\s*(?:ms|milliseconds?|s|secs?|seconds?|m|mins?|minutes?|h|hours?)\b\s*)`;
const askedToWait = new RegExp(
  String.raw`(?:again|retry)\s+(?:in|after)\s+((?:\d+(?:\.\d+)?(?:ms|[smh]))+|${duration}+)`,
  "i",
);

/** "Please try again in 12s", "in 20ms", "in 1m30.5s", "after 2 minutes". */
function fromMessage(message: string): number | undefined {
  const found = askedToWait.exec(message)?.[1];
  return found === undefined ? undefined : durationMs(found);
}

/** Reads `12s`, `20ms`, `1m30.5s` or `2 minutes`; undefined where there is no duration in it. */
export function durationMs(text: string): number | undefined {
  const parts = [...text.matchAll(/(\d+(?:\.\d+)?)\s*([a-z]+)/gi)];
  if (parts.length === 0) return undefined;
  let waitMs = 0;
  for (const [, amount, unit] of parts) {
    waitMs += Number(amount) * (unitMs[shortUnit(unit!.toLowerCase())] ?? 0);
  }
  return waitMs;
}

/** `minutes` → `m`, `milliseconds` → `ms`. */
function shortUnit(unit: string): string {
  return unit === "ms" || unit.startsWith("milli") ? "ms" : unit[0]!;
}
