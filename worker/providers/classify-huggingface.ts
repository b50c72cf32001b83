import { z } from "zod";
import { ProviderError } from "../../shared/failure.ts";
import { type AnswerHeaders, isSuccess } from "./answer-reader.ts";
import { classifyTransport } from "./classify-transport.ts";
import type { Exchange } from "./fetch-adapter.ts";
import {
  asRecord,
  findRule,
  kindOfStatus,
  readRefusal,
  refusalError,
  type RefusalRule,
} from "./refusal.ts";
import { safeMessage, type Secrets } from "./safe-message.ts";

/** What Hugging Face, its inference providers and Inference Endpoints refuse. The first line that fits decides. */
const rules: readonly RefusalRule[] = [
  { kind: "quota", statuses: [402] },
  {
    kind: "quota",
    message:
      /exceeded your (monthly )?(included )?credits|pre-paid credits|insufficient (balance|credits)/i,
  },
  {
    kind: "content_policy",
    statuses: [400, 403, 422],
    message: /\bnsfw\b|content policy|content moderation|safety (check|filter|system)/i,
  },
  { kind: "auth", statuses: [401, 403] },
  {
    kind: "model_gone",
    statuses: [400, 422],
    message: /model .*(is not supported|not supported by|does not exist|not found)/is,
  },
  { kind: "model_gone", statuses: [404, 410] },
  { kind: "rate_limited", statuses: [429] },
];

/** The error that an answer which is not a success stands for. */
export function classifyHuggingfaceRefusal(
  status: number,
  headers: AnswerHeaders,
  text: string,
  secrets: Secrets,
): ProviderError {
  const refusal = readRefusal(status, headers, text);
  const kind = findRule(rules, refusal)?.kind ?? kindOfStatus(status, headers);
  const error = refusalError(kind, refusal, secrets);
  const loadingMs = readEstimatedMs(refusal.body);
  if (error.retryAfterMs !== undefined || loadingMs === undefined) return error;
  return refusalError(kind, refusal, secrets, { retryAfterMs: loadingMs });
}

/** `{ error: "Model X is currently loading", estimated_time: 20.0 }`: seconds. */
function readEstimatedMs(body: unknown): number | undefined {
  const seconds = asRecord(body)["estimated_time"];
  return typeof seconds === "number" && seconds >= 0
    ? Math.min(Math.round(seconds * 1000), 86_400_000)
    : undefined;
}

/** What the official client's own errors carry. */
const ClientError = z.object({
  name: z.string().catch(""),
  message: z.string().catch(""),
});

/** The error that a failed call through the official client stands for. */
export function classifyHuggingfaceError(
  error: unknown,
  { answer, progress }: Exchange,
  secrets: Secrets,
): ProviderError {
  if (answer && !isSuccess(answer.status)) {
    return classifyHuggingfaceRefusal(answer.status, answer.headers, answer.body.text(), secrets);
  }
  const { name, message } = ClientError.parse(error);
  const words = safeMessage(message, secrets);
  if (name === "ProviderOutputError") return new ProviderError("bad_response", words);
  if (name === "InputError" || name === "RoutingError") {
    const isUnknown =
      /inference provider information|No Inference Provider available|not supported for task/i.test(
        message,
      );
    return new ProviderError(isUnknown ? "model_gone" : "invalid_request", words, { sent: false });
  }
  return classifyTransport(error, secrets, progress);
}
