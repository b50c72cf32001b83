import type { ProviderError } from "../../shared/failure.ts";
import {
  asRecord,
  findRule,
  kindOfStatus,
  readRefusal,
  refusalError,
  type Refusal,
  type RefusalRule,
} from "./refusal.ts";
import type { LaneLimits } from "../../shared/lane-limits.ts";
import type { AnswerHeaders } from "./answer-reader.ts";
import { readNamedLimit, readRateLimits } from "./rate-limits.ts";
import type { Secrets } from "./safe-message.ts";

const moderation =
  /^(moderation_blocked|content_policy_violation|image_content_policy_violation|content_?filter)$/i;
const spent =
  /^(insufficient_quota|billing_hard_limit_reached|credit_balance_exhausted|\w+_spend_limit_exceeded|\w+_usage_limit_exceeded)$/;
const gone =
  /\b(model|deployment)\b.*(does not exist|not found|deprecated|shut ?down|retired|no longer (available|supported))/is;

/**
 * What OpenAI and servers that speak its API refuse, and what that is. The first line that fits decides; the type of an
 * error comes before its code, since one 429 means "wait" and another "pay".
 * https://developers.openai.com/api/docs/guides/error-codes
 */
const rules: readonly RefusalRule[] = [
  { kind: "quota", type: /^insufficient_quota$/ },
  { kind: "quota", code: spent },
  { kind: "quota", statuses: [402] },
  { kind: "quota", statuses: [429], message: /exceeded your current quota|billing hard limit/i },
  { kind: "content_policy", code: moderation },
  { kind: "content_policy", type: moderation },
  { kind: "auth", statuses: [401, 403] },
  {
    kind: "model_gone",
    statuses: [400, 404, 410],
    code: /^model_(not_found|deprecated|retired|shut_?down)$/,
  },
  { kind: "model_gone", statuses: [400, 404, 410], message: gone },
  { kind: "rate_limited", statuses: [429, 503], code: /^slow_down$/ },
  { kind: "rate_limited", statuses: [429, 503], type: /^slow_down$/ },
  { kind: "unavailable", statuses: [429, 503], code: /^server_is_overloaded$/ },
  { kind: "rate_limited", statuses: [429] },
];

/** The error that an answer which is not a success stands for. */
export function classifyOpenaiRefusal(
  status: number,
  headers: AnswerHeaders,
  text: string,
  secrets: Secrets,
): ProviderError {
  const refusal = readRefusal(status, headers, text);
  const rule = findRule(rules, refusal);
  const kind = rule?.kind ?? kindOfStatus(status, headers);
  if (kind === "rate_limited") return limitError(refusal, secrets);
  const moderationStage = kind === "content_policy" ? readModerationStage(refusal) : undefined;
  return refusalError(kind, refusal, secrets, { moderationStage });
}

/** The error of a call that is over a limit: one that can be made later, or one that is larger than the whole limit. */
function limitError(refusal: Refusal, secrets: Secrets): ProviderError {
  const amounts = readAmounts(refusal.message);
  const isOfTokens = /token|\bTPM\b/i.test(`${refusal.type} ${refusal.message}`);
  if (amounts && amounts.requested > amounts.limit) {
    // Of a limit in tokens nothing follows for the number of images but that it has to be smaller.
    const imagesLimit = isOfTokens ? undefined : amounts.limit;
    return refusalError("request_exceeds_limit", refusal, secrets, { imagesLimit });
  }
  const tokensCounted = isOfTokens ? amounts?.requested : undefined;
  return refusalError("rate_limited", refusal, secrets, {
    limits: readToldLimits(refusal),
    tokensCounted,
  });
}

/** "Limit 5, Used 0, Requested 10". */
function readAmounts(message: string): { limit: number; requested: number } | undefined {
  const [, limit, requested] =
    /\bLimit:?\s*([\d,]+)\b.*?\bRequested:?\s*([\d,]+)\b/is.exec(message) ?? [];
  if (limit === undefined || requested === undefined) return undefined;
  return { limit: toCount(limit), requested: toCount(requested) };
}

/** Headers may tell of other limits than the one that the words name. */
function readToldLimits({ headers, message }: Refusal): LaneLimits | undefined {
  const named = readNamedLimit(message);
  const told = readRateLimits(headers);
  return named || told ? { ...named, ...told } : undefined;
}

function toCount(text: string): number {
  return Number(text.replaceAll(",", ""));
}

function readModerationStage({ body }: Refusal): "input" | "output" | undefined {
  const details = asRecord(asRecord(asRecord(body)["error"])["moderation_details"]);
  const stage = details["moderation_stage"];
  return stage === "input" || stage === "output" ? stage : undefined;
}
