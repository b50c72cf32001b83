import { describe, expect, test } from "vitest";
import { attemptLimits, failureActions, FailureKind, ProviderError } from "../../shared/failure.ts";

describe("the table of failures", () => {
  test("has one action for every kind, and no other kind", () => {
    expect(Object.keys(failureActions).toSorted()).toEqual(FailureKind.options.toSorted());
  });

  test("decides as the design says", () => {
    expect(failureActions).toEqual({
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
    });
  });

  test("limits tries to fewer than a run's only for kinds that are tried again at all", () => {
    expect(attemptLimits).toEqual({ bad_response: 3, content_policy: 2 });
  });
});

describe("ProviderError", () => {
  test("counts as sent unless the provider says that it was not", () => {
    expect(new ProviderError("timeout", "no answer").sent).toBe(true);
    expect(new ProviderError("timeout", "no answer", { sent: undefined }).sent).toBe(true);
    expect(new ProviderError("unavailable", "refused", { sent: false }).sent).toBe(false);
  });

  test("keeps kind, message, cause and what the provider told", () => {
    const cause = new Error("below");
    const details = {
      status: 429,
      code: "rate_limit_exceeded",
      requestId: "req_1",
      retryAfterMs: 1500,
      imagesLimit: 5,
      moderationStage: "output" as const,
      sent: true,
    };
    const error = new ProviderError("rate_limited", "slow down", { ...details, cause });
    expect(error).toMatchObject({
      name: "ProviderError",
      kind: "rate_limited",
      message: "slow down",
      ...details,
    });
    expect(error.cause).toBe(cause);
    expect(error).toBeInstanceOf(Error);
  });
});
