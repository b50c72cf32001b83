import { expect, test } from "vitest";
import {
  type FailureKind,
  ProviderError,
  type ProviderErrorDetails,
} from "../../shared/failure.ts";
import { mayBeCharged } from "../../worker/budget.ts";

test.for<[FailureKind, ProviderErrorDetails, boolean]>([
  ["unavailable", { sent: false }, false],
  ["unavailable", { status: 500 }, false],
  ["unavailable", { status: 503 }, false],
  ["unavailable", { status: 502 }, true],
  ["timeout", { status: 504 }, true],
  ["timeout", {}, true],
  ["unavailable", {}, true],
  ["bad_response", { status: 200 }, true],
  ["bad_response", {}, true],
  ["internal", {}, true],
  ["rate_limited", { status: 429 }, false],
  ["invalid_request", { status: 400 }, false],
  ["content_policy", { status: 400, moderationStage: "input" }, false],
  ["content_policy", { status: 400, moderationStage: "output" }, true],
])("a call that failed by %s (%o) may be charged: %s", ([kind, details, expected]) => {
  expect(mayBeCharged(new ProviderError(kind, "it failed", details))).toBe(expected);
});
