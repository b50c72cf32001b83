import type { LaneLimits } from "../../shared/lane-limits.ts";
import type { AnswerHeaders } from "./answer-reader.ts";
import { durationMs } from "./retry-after.ts";

/** Windows that are a minute, as far as whole seconds of a reset let that be seen. */
const minuteMs = { least: 45_000, most: 75_000 };

/**
 * Limits a minute that an answer's `x-ratelimit-{limit,remaining,reset}-{images,requests}` tell. They are believed only where
 * reset says that the limit is one of a minute, filled up evenly: `reset` is the time until what is used has come back. Such
 * headers are not documented by everybody who sends them, and others mean hours or days.
 */
export function readRateLimits(headers: AnswerHeaders): LaneLimits | undefined {
  const imagesPerMinute = limitOf(headers, "images");
  const requestsPerMinute = limitOf(headers, "requests");
  if (imagesPerMinute === undefined && requestsPerMinute === undefined) return undefined;
  return {
    ...(imagesPerMinute !== undefined && { imagesPerMinute }),
    ...(requestsPerMinute !== undefined && { requestsPerMinute }),
  };
}

/**
 * A limit a minute that the words of a refusal name: "Rate limit reached for gpt-image-2 on images per min (IPM): Limit 5, Used
 * 3, Requested 4". Undefined where they name none, or one of another time or unit.
 */
export function readNamedLimit(message: string): LaneLimits | undefined {
  const [, unit, amount] =
    /\b(image|request)s? per min(?:ute)?\b[^:]*:\s*limit:?\s*([\d,]*\d)/i.exec(message) ?? [];
  const limit = Number(amount?.replaceAll(",", ""));
  if (unit === undefined || !(limit > 0)) return undefined;
  return unit.toLowerCase() === "image" ? { imagesPerMinute: limit } : { requestsPerMinute: limit };
}

function limitOf(headers: AnswerHeaders, unit: string): number | undefined {
  const limit = Number(headers.get(`x-ratelimit-limit-${unit}`) ?? NaN);
  const used = limit - Number(headers.get(`x-ratelimit-remaining-${unit}`) ?? NaN);
  const resetMs = durationMs(headers.get(`x-ratelimit-reset-${unit}`) ?? "");
  if (!(limit > 0) || !(used > 0) || resetMs === undefined) return undefined;
  // What is used was rounded to whole images: of a few it says too little.
  const windows = [resetMs / (used / limit), resetMs / ((used - 1) / limit)];
  const isMinute = windows.some((ms) => ms >= minuteMs.least && ms <= minuteMs.most);
  return isMinute ? limit : undefined;
}
