import { describe, expect, test } from "vitest";
import {
  failureActions,
  type FailureAction,
  type FailureKind,
  ProviderError,
} from "../../../shared/failure.ts";
import { InferenceEndpointsImageGeneration } from "../../../worker/providers/huggingface.ts";
import type { AsyncImageGenerationModel } from "../../../worker/providers/image-model.ts";
import { OpenAIImageGeneration } from "../../../worker/providers/openai.ts";
import { expectedOf, readFixtures } from "./error-fixtures.ts";
import { rejection, startProvider } from "./provider-server.ts";

/** What a provider refuses, by recorded answers, and what follows from it. */
type Row = [what: string, fixtures: string[], kind: FailureKind, action: FailureAction];

const openaiRows: Row[] = [
  [
    "400 moderation_blocked on input or output, content_policy_violation, image_content_policy_violation",
    [
      "moderation-blocked-input",
      "moderation-blocked-output",
      "content-policy-violation",
      "image-content-policy-violation",
      "content-filter-azure",
    ],
    "content_policy",
    "fail",
  ],
  [
    "400 or 429 billing_hard_limit_reached, insufficient_quota, credit_balance_exhausted, spend and usage limits; 402",
    [
      "billing-hard-limit",
      "billing-hard-limit-429",
      "insufficient-quota",
      "insufficient-quota-by-type",
      "credit-balance-exhausted",
      "project-spend-limit",
      "organization-usage-limit",
      "payment-required",
    ],
    "quota",
    "stop",
  ],
  [
    "401, and 403 of an organization that is not verified or a project without access",
    ["invalid-api-key", "organization-not-verified", "project-without-access"],
    "auth",
    "leave",
  ],
  [
    "404 model_not_found, deprecated",
    ["model-not-found", "model-deprecated"],
    "model_gone",
    "stop",
  ],
  [
    "429 rate_limit_exceeded of requests, tokens or images, with a wait in a header or in words",
    [
      "rate-limit-images",
      "rate-limit-tokens",
      "rate-limit-tokens-azure",
      "rate-limit-tokens-headers",
      "rate-limit-milliseconds",
      "rate-limit-minutes",
      "rate-limit-header-date",
      "rate-limit-header-milliseconds",
      "rate-limit-header-seconds",
      "rate-limit-without-json",
    ],
    "rate_limited",
    "hold",
  ],
  [
    "429 that requests more than the whole limit",
    ["request-exceeds-limit", "request-exceeds-token-limit"],
    "request_exceeds_limit",
    "split",
  ],
  ["429 or 503 slow_down", ["slow-down", "slow-down-429"], "rate_limited", "hold"],
  [
    "503 server_is_overloaded, 409, 5xx, and whatever x-should-retry says may be tried again",
    ["server-overloaded", "conflict", "server-error", "bad-gateway-empty", "should-retry"],
    "unavailable",
    "retry",
  ],
  ["408 and 504", ["request-timeout", "gateway-timeout"], "timeout", "retry"],
  [
    "400, 404 of a path, 413, 422, a redirect, and whatever x-should-retry says may not be tried again",
    [
      "unknown-parameter",
      "user-error",
      "vllm-bad-request",
      "path-not-found",
      "too-large",
      "fastapi-validation",
      "redirect",
      "server-error-final",
    ],
    "invalid_request",
    "fail",
  ],
];

const huggingfaceRows: Row[] = [
  ["402, and credits that are used up", ["credits-exceeded", "prepaid-credits"], "quota", "stop"],
  [
    "503 of a model that is loading, for as long as it says; other 503 and 500",
    ["loading", "service-unavailable", "out-of-memory"],
    "unavailable",
    "retry",
  ],
  ["504", ["gateway-timeout"], "timeout", "retry"],
  [
    "429 with and without Retry-After",
    ["rate-limited", "rate-limited-with-header"],
    "rate_limited",
    "hold",
  ],
  ["401 and 403", ["invalid-token", "gated"], "auth", "leave"],
  [
    "404, 410, and a model that the provider does not have",
    ["not-found", "gone", "not-supported"],
    "model_gone",
    "stop",
  ],
  ["content that is refused", ["nsfw"], "content_policy", "fail"],
  ["400 and 422", ["problem-json", "validation", "validation-of-input"], "invalid_request", "fail"],
];

type MakeModel = (baseUrl: string) => AsyncImageGenerationModel;
const providers: [string, string, Row[], MakeModel][] = [
  [
    "OpenAI's errors",
    "openai-errors",
    openaiRows,
    (baseUrl) => new OpenAIImageGeneration({ model: "gpt-image-2", baseUrl }),
  ],
  [
    "Hugging Face's errors",
    "huggingface-errors",
    huggingfaceRows,
    (baseUrl) => new InferenceEndpointsImageGeneration({ modelId: "org/model", baseUrl }),
  ],
];

describe.each(providers)("%s through the real client over HTTP", (_, folder, rows, makeModel) => {
  const fixtures = readFixtures(folder);

  test.for(rows)("%s", async ([, names, kind, action]) => {
    for (const name of names) {
      const fixture = fixtures.get(name)!;
      const { status, headers, body, text } = fixture;
      const type = typeof body === "string" ? "text/html" : "application/json";
      const server = await startProvider((_request, response) => {
        response.writeHead(status, { "content-type": type, ...headers }).end(text);
      });
      await using model = makeModel(server.url);
      const error = await rejection(
        model.agenerate("a cat", { numGenerations: 1, parameters: {} }),
      );
      const seen = { name, error, action: failureActions[kind], requests: server.received.length };
      const expected = { status, sent: true, ...expectedOf(fixture), kind };
      expect(error).toBeInstanceOf(ProviderError);
      expect(seen).toMatchObject({ name, error: expected, action, requests: 1 });
    }
  });

  test("no recorded answer is without a row", () => {
    expect(rows.flatMap(([, names]) => names).toSorted()).toEqual([...fixtures.keys()].toSorted());
  });
});
