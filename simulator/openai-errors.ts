import type { ErrorFault } from "./call.ts";
import type { LimitRefusal } from "./limits.ts";
import type { Reply } from "./reply.ts";
import { jsonReply } from "./reply.ts";
import { retryAfter, shortDuration } from "./retry-after.ts";
import type { SimulatorSettings } from "./settings.ts";

interface OpenAiError {
  message: string;
  type: string;
  param?: string | null;
  code: string | null;
  [detail: string]: unknown;
}

/** An error as the OpenAI API writes it. */
export function openAiError(
  status: number,
  error: OpenAiError,
  headers: Record<string, string> = {},
): Reply {
  const { message, type, param = null, code, ...details } = error;
  return jsonReply(status, { error: { message, type, param, code, ...details } }, headers);
}

/** 400 for a parameter that is wrong. */
export function invalidParameter(param: string, code: string, message: string): Reply {
  return openAiError(400, { message, type: "invalid_request_error", param, code });
}

/** 401; the key is shown only in part. */
export function unauthorized(key: string | undefined): Reply {
  const where = "You can find your API key at https://platform.openai.com/account/api-keys.";
  const shown =
    key !== undefined && key.length > 12
      ? `${key.slice(0, 8)}${"*".repeat(8)}${key.slice(-4)}`
      : key;
  return openAiError(401, {
    message: shown
      ? `Incorrect API key provided: ${shown}. ${where}`
      : "You didn't provide an API key. You need to provide your API key in an Authorization header using Bearer auth " +
        `(i.e. Authorization: Bearer YOUR_KEY). ${where}`,
    type: "invalid_request_error",
    code: shown ? "invalid_api_key" : null,
  });
}

/** 404 of a model that does not exist, or not any more. */
export function modelNotFound(model: string): Reply {
  return openAiError(404, {
    message: `The model '${model}' does not exist or you do not have access to it.`,
    type: "invalid_request_error",
    code: "model_not_found",
  });
}

/** 400 of the safety system, which looks at the prompt (`input`) and at the images (`output`). */
export function moderationBlocked(stage: "input" | "output", requestId: string): Reply {
  return openAiError(400, {
    message:
      "Your request was rejected by the safety system. If you believe this is an error, contact us at " +
      `help.openai.com and include the request ID ${requestId}. safety_violations=[violence].`,
    type: "image_generation_user_error",
    code: "moderation_blocked",
    moderation_details: { moderation_stage: stage, categories: ["violence"] },
  });
}

/** 429 of an account without money. */
export function insufficientQuota(): Reply {
  return openAiError(429, {
    message:
      "You exceeded your current quota, please check your plan and billing details. For more information on this " +
      "error, read the docs: https://platform.openai.com/docs/guides/error-codes/api-errors.",
    type: "insufficient_quota",
    code: "insufficient_quota",
  });
}

/** 429 of a limit; for a call that is larger than the limit it says no time to wait, since none helps. */
export function rateLimited(
  { retryAfter: form, limitWindowMs }: SimulatorSettings,
  model: string,
  refusal: LimitRefusal,
): Reply {
  const { unit, limit, used, requested, waitMs } = refusal;
  const { headers, sentence } = retryAfter(form, waitMs);
  const per = limitWindowMs === 60_000 ? "min" : shortDuration(limitWindowMs);
  const type = unit === "images" ? "input-images" : unit;
  const on = `${type} per ${per}${unit === "tokens" ? " (TPM)" : ""}`;
  const usedPart = waitMs === undefined ? "" : ` Used ${used},`;
  const start = waitMs === undefined ? "Request too large" : "Rate limit reached";
  return openAiError(
    429,
    {
      message:
        `${start} for ${model} in organization org-simulator on ${on}: Limit ${limit},${usedPart} Requested ` +
        `${requested}.${sentence} Visit https://platform.openai.com/account/rate-limits to learn more.`,
      type,
      code: "rate_limit_exceeded",
    },
    headers,
  );
}

/** The answers to faults that are errors. */
const failures: Record<ErrorFault, (model: string, settings: SimulatorSettings) => Reply> = {
  error500: () =>
    openAiError(500, {
      message: "The server had an error while processing your request. Sorry about that!",
      type: "server_error",
      code: null,
    }),
  error503: () =>
    openAiError(503, {
      message: "The service is temporarily unavailable. Please retry your request.",
      type: "server_error",
      code: null,
    }),
  overloaded: (_, settings) => {
    const { headers, sentence } = retryAfter(settings.retryAfter, settings.faultRetryAfterMs);
    const message = `Our servers are currently overloaded.${sentence}`;
    const type = "service_unavailable_error";
    return openAiError(503, { message, type, code: "server_is_overloaded" }, headers);
  },
  loading: (model) =>
    jsonReply(503, { error: `Model ${model} is currently loading`, estimated_time: 20.0 }),
  // It names no limit: there is none that it keeps.
  rateLimited: (model, settings) => {
    const { headers, sentence } = retryAfter(settings.retryAfter, settings.faultRetryAfterMs);
    const message = `Rate limit reached for ${model}.${sentence}`;
    return openAiError(429, { message, type: "requests", code: "rate_limit_exceeded" }, headers);
  },
};

/** The answer to a fault that is an error. */
export function openAiFailure(
  fault: ErrorFault,
  model: string,
  settings: SimulatorSettings,
): Reply {
  return failures[fault](model, settings);
}
