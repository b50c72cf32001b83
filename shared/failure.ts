import { z } from "zod";
import type { LaneLimits } from "./lane-limits.ts";

/** Every way a prompt, a call or a run can go wrong. The set is closed: see {@link failureActions}. */
export const FailureKind = z.enum([
  "rate_limited",
  "request_exceeds_limit",
  "unavailable",
  "timeout",
  "bad_response",
  "content_policy",
  "invalid_request",
  "auth",
  "quota",
  "model_gone",
  "storage",
  "queue",
  "crashed",
  "internal",
]);
export type FailureKind = z.infer<typeof FailureKind>;

/**
 * What follows from a failure.
 *
 * - `hold`: the lane waits, the same attempt goes on
 * - `split`: the call is planned again with fewer images
 * - `retry`: another attempt after a backoff, as long as attempts are left
 * - `fail`: the images of this call are given up, the run goes on
 * - `leave`: the worker hands the job back and stops serving the lane
 * - `stop`: the run stops; the same command resumes it
 */
export type FailureAction = "hold" | "split" | "retry" | "fail" | "leave" | "stop";

/** The one table from kind to action. */
export const failureActions: Record<FailureKind, FailureAction> = {
  rate_limited: "hold",
  request_exceeds_limit: "split",
  unavailable: "retry",
  timeout: "retry",
  bad_response: "retry",
  content_policy: "fail",
  invalid_request: "fail",
  auth: "leave",
  quota: "stop",
  model_gone: "stop",
  storage: "stop",
  queue: "hold",
  crashed: "fail",
  internal: "fail",
};

/** How many tries a kind may have in all, where that is less than the run's `attempts`. */
export const attemptLimits: Partial<Record<FailureKind, number>> = {
  bad_response: 3,
  content_policy: 2,
};

/** What a provider tells of a refused or broken call. */
export interface ProviderErrorDetails {
  /** HTTP status, where an answer came. */
  status?: number | undefined;
  /** The provider's own code, such as `rate_limit_exceeded`. */
  code?: string | undefined;
  /** The provider's id of the request. */
  requestId?: string | undefined;
  /** How long the provider asks to wait, in milliseconds. */
  retryAfterMs?: number | undefined;
  /** The largest number of images that one call may ask for, where the provider said so. */
  imagesLimit?: number | undefined;
  /** Limits of the provider that a refusal told. */
  limits?: LaneLimits | undefined;
  /** Tokens that a refusal for the sake of its limit on them counted for the call. */
  tokensCounted?: number | undefined;
  /** Which side of the model its moderation refused, for `content_policy`. */
  moderationStage?: "input" | "output" | undefined;
  /** False only where it is certain that the provider never received the call. Default true. */
  sent?: boolean | undefined;
  /**
   * Of a provider with several hosts, where another one can take the call: whether the host that failed is left out from
   * now on. Undefined: the failure is one of the provider as a whole.
   */
  hostAway?: boolean | undefined;
  cause?: unknown;
}

/**
 * The only error that a provider may throw from `agenerate` for a call that went wrong.
 * Its `message` is safe to show and to store: it holds no key.
 */
export class ProviderError extends Error {
  override readonly name = "ProviderError";
  readonly kind: FailureKind;
  readonly status: number | undefined;
  readonly code: string | undefined;
  readonly requestId: string | undefined;
  readonly retryAfterMs: number | undefined;
  readonly imagesLimit: number | undefined;
  readonly limits: LaneLimits | undefined;
  readonly tokensCounted: number | undefined;
  readonly moderationStage: "input" | "output" | undefined;
  readonly sent: boolean;
  hostAway: boolean | undefined;

  constructor(kind: FailureKind, message: string, details: ProviderErrorDetails = {}) {
    super(message, { cause: details.cause });
    this.kind = kind;
    this.status = details.status;
    this.code = details.code;
    this.requestId = details.requestId;
    this.retryAfterMs = details.retryAfterMs;
    this.imagesLimit = details.imagesLimit;
    this.limits = details.limits;
    this.tokensCounted = details.tokensCounted;
    this.moderationStage = details.moderationStage;
    this.sent = details.sent ?? true;
    this.hostAway = details.hostAway;
  }
}
