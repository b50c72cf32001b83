import {
  type FailureKind,
  ProviderError,
  type ProviderErrorDetails,
} from "../../shared/failure.ts";
import { cutText } from "../../shared/cut-text.ts";
import { jsonOf } from "../../shared/parse-json.ts";
import type { AnswerHeaders } from "./answer-reader.ts";
import { readRetryAfter } from "./retry-after.ts";
import { safeMessage, type Secrets } from "./safe-message.ts";

/** Longest words of a provider that are looked through, in characters: the rules' patterns take time by its square. */
const maxWords = 10_000;

/** An HTTP answer that refuses a call, taken apart. */
export interface Refusal {
  status: number;
  headers: AnswerHeaders;
  /** The parsed JSON body; undefined where it was none. */
  body: unknown;
  type: string;
  code: string;
  /** The provider's own words, or a short form of a body that is not JSON. */
  message: string;
}

/** One line of a table of refusals: it fits where every condition that it names holds. */
export interface RefusalRule {
  kind: FailureKind;
  statuses?: readonly number[];
  type?: RegExp;
  code?: RegExp;
  message?: RegExp;
}

/** Takes an answer apart: OpenAI's `{ error: { message, type, code } }`, and what its imitators and others send. */
export function readRefusal(status: number, headers: AnswerHeaders, text: string): Refusal {
  const body = jsonOf(text);
  const outer = asRecord(body);
  const error = asRecord(outer["error"]);
  const inner = Object.keys(error).length > 0 ? error : outer;
  const words = firstText(
    inner["message"],
    outer["error"],
    validationWords(outer["detail"]),
    outer["detail"],
    outer["message"],
    inner,
  );
  return {
    status,
    headers,
    body,
    type: asText(inner["type"]),
    code: asText(inner["code"]),
    message: cutText(words, maxWords) || bodyAsWords(text),
  };
}

/** The first rule of the table that fits. */
export function findRule(rules: readonly RefusalRule[], refusal: Refusal): RefusalRule | undefined {
  return rules.find(
    (rule) =>
      (!rule.statuses || rule.statuses.includes(refusal.status)) &&
      (!rule.type || rule.type.test(refusal.type)) &&
      (!rule.code || rule.code.test(refusal.code)) &&
      (!rule.message || rule.message.test(refusal.message)),
  );
}

/** The error of a refusal. Its message is the status, the code and the provider's own words, without secrets. */
export function refusalError(
  kind: FailureKind,
  refusal: Refusal,
  secrets: Secrets,
  details: ProviderErrorDetails = {},
): ProviderError {
  const { status, code, headers, message } = refusal;
  const isRedirect = status >= 300 && status < 400;
  const said = isRedirect
    ? "the base URL answers with a redirect; give the address that it leads to"
    : message;
  const words = `HTTP ${status}${code ? ` ${code}` : ""}${said ? `: ${said}` : ""}`;
  return new ProviderError(kind, safeMessage(words, secrets), {
    status,
    code: code || undefined,
    requestId: readRequestId(headers),
    retryAfterMs: readRetryAfter(headers, message),
    ...details,
  });
}

/** The provider's id of a request, for its support. */
export function readRequestId(headers: AnswerHeaders): string | undefined {
  return (
    headers.get("x-request-id") ??
    headers.get("x-amzn-requestid") ??
    headers.get("request-id") ??
    undefined
  );
}

/** What is left when no rule fits: by the class of the status, and by `x-should-retry` where the provider sends it. */
export function kindOfStatus(status: number, headers: AnswerHeaders): FailureKind {
  const advice = headers.get("x-should-retry");
  const isTransient = status === 408 || status === 409 || status >= 500;
  if (status === 429) return "rate_limited";
  if (advice === "false" || (!isTransient && advice !== "true")) return "invalid_request";
  return status === 408 || status === 504 || status === 524 ? "timeout" : "unavailable";
}

/** The members of an object; none of anything else. */
export function asRecord(value: unknown): Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value)
    ? Object.fromEntries(Object.entries(value))
    : {};
}

function asText(value: unknown): string {
  return typeof value === "string" || typeof value === "number" ? String(value) : "";
}

/**
 * What FastAPI says of a request that it refuses: where, and what is wrong. Its `input` is left out: the words of a prompt must
 * not decide what a refusal is.
 */
function validationWords(detail: unknown): string {
  if (!Array.isArray(detail)) return "";
  const faults = detail.map(asRecord);
  if (faults.some(({ msg }) => typeof msg !== "string")) return "";
  return faults
    .map(({ loc, msg }) => `${Array.isArray(loc) ? `${loc.join(".")}: ` : ""}${asText(msg)}`)
    .join("; ");
}

function firstText(...values: unknown[]): string {
  for (const value of values) {
    if (typeof value === "string" && value !== "") return value;
    if (typeof value === "object" && value !== null && Object.keys(value).length > 0)
      return JSON.stringify(value);
  }
  return "";
}

/** The words of an HTML or text page, its title first. */
function bodyAsWords(text: string): string {
  const start = text.slice(0, maxWords);
  const title = /<title[^<>]*>([^<]*)<\/title>/i.exec(start)?.[1];
  const words = title ?? start.replaceAll(/<(style|script)[^]*?<\/\1>|<[^<>]*>/gi, " ");
  return words.replaceAll(/\s+/g, " ").trim().slice(0, 500);
}
