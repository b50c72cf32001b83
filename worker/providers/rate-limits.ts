import type { LaneLimits } from "../../shared/lane-limits.ts";
import type { AnswerHeaders } from "./answer-reader.ts";
import { durationMs } from "./retry-after.ts";

/** Windows that are a minute, as far as whole seconds of a reset let that be seen. */
const minuteMs = { least: 45_000, most: 75_000 };

/** What limits count, by the words that providers have for it; OpenAI counts what it makes as `input-images`, too. */
const units = {
  "input-images": "imagesPerMinute",
  images: "imagesPerMinute",
  requests: "requestsPerMinute",
  tokens: "tokensPerMinute",
} as const;

/**
 * Limits a minute that an answer's `x-ratelimit-{limit,remaining,reset}-{images,requests,tokens}` tell. They are believed only
 * where reset says that the limit is one of a minute, filled up evenly: `reset` is the time until what is used has come back.
 * Such headers are not documented by everybody who sends them, and others mean hours or days.
 */
export function readRateLimits(headers: AnswerHeaders): LaneLimits | undefined {
  const limits: LaneLimits = {};
  for (const [unit, name] of Object.entries(units)) {
    const limit = limitOf(headers, unit);
    if (limit !== undefined) limits[name] = limit;
  }
  return Object.keys(limits).length > 0 ? limits : undefined;
}

/**
 * A limit a minute that the words of a refusal name: "Rate limit reached for gpt-image-2 on images per min (IPM): Limit 5, Used
 * 3, Requested 4", or "tokens per min (TPM)". Undefined where they name none, or one of another time or unit.
 */
export function readNamedLimit(message: string): LaneLimits | undefined {
  const [, unit, amount] =
    /\b(image|request|token)s? per min(?:ute)?\b[^:]*:\s*limit:?\s*([\d,]*\d)/i.exec(message) ?? [];
  const limit = Number(amount?.replaceAll(",", ""));
  const name = Object.entries(units).find(([plural]) => plural === `${unit?.toLowerCase()}s`)?.[1];
  return name && limit > 0 ? { [name]: limit } : undefined;
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
