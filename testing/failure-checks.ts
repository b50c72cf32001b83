import assert from "node:assert/strict";
import type { FailureKind } from "../shared/failure.ts";
import type { CannedAnswer } from "./canned-server.ts";
import {
  callOnce,
  canaryKey,
  failureOf,
  onStage,
  type ProviderUnderTest,
} from "./provider-under-test.ts";
import { sampleImages } from "./sample-images.ts";

const page = "<!doctype html><html><title>busy</title></html>";

/** Statuses, and what each has to be taken for whatever the body says. */
const statuses: readonly [number, FailureKind[]][] = [
  [400, ["invalid_request"]],
  [401, ["auth"]],
  [402, ["quota"]],
  [403, ["auth"]],
  [413, ["invalid_request"]],
  [422, ["invalid_request"]],
  [429, ["rate_limited"]],
  [500, ["unavailable"]],
  [502, ["unavailable"]],
  [503, ["unavailable"]],
  [504, ["timeout", "unavailable"]],
];

/** How calls are refused: every failure has its kind, no call is repeated by itself, no key shows. */
export function failureChecks(provider: ProviderUnderTest): Record<string, () => Promise<void>> {
  const refusals = provider.refusals ?? [];
  return {
    ...Object.fromEntries(
      statuses.map(([status, kinds]) => [
        `HTTP ${status} is ${kinds.join(" or ")}, and is asked once`,
        () => expectFailure(provider, { status, body: "no" }, ...kinds),
      ]),
    ),
    ...Object.fromEntries(
      refusals.map(({ name, answer, kind }) => [
        `${name} is ${kind}`,
        () => expectFailure(provider, answer, kind),
      ]),
    ),
    ...answerChecks(provider),
  };
}

async function expectFailure(
  provider: ProviderUnderTest,
  answer: CannedAnswer,
  ...kinds: FailureKind[]
): Promise<void> {
  await onStage(
    provider,
    async ({ model, server }) => {
      const error = await failureOf(callOnce(model, "a cat"), ...kinds);
      assert.equal(error.sent, true);
      assert.equal(error.status, answer.status ?? 200);
      assert.equal(server.received.length, 1);
    },
    { respond: () => answer },
  );
}

function answerChecks(provider: ProviderUnderTest): Record<string, () => Promise<void>> {
  const html = { headers: { "content-type": "text/html" }, body: page };
  const bad = async (answer: CannedAnswer) =>
    onStage(
      provider,
      async ({ model }) => {
        await failureOf(callOnce(model, "a cat"), "bad_response");
      },
      { respond: () => answer },
    );
  return {
    "an HTML page with status 200 is a bad_response": () => bad(html),
    "an empty answer is a bad_response": () => bad({ body: "" }),
    "half an image is a bad_response": () =>
      bad(
        provider.answer(
          sampleImages(2)
            .slice(1)
            .map((image) => image.subarray(0, 50_000)),
        ),
      ),
    "an HTML page in the place of an image is a bad_response": () =>
      bad(provider.answer([Buffer.from(page)])),
    "a wait that the server asks for is told": () =>
      onStage(
        provider,
        async ({ model }) => {
          const error = await failureOf(callOnce(model, "a cat"), "rate_limited");
          assert.equal(error.retryAfterMs, 7000);
        },
        { respond: () => ({ status: 429, headers: { "retry-after": "7" }, body: "slow down" }) },
      ),
    "the id of a request is told": () =>
      onStage(
        provider,
        async ({ model }) => {
          const error = await failureOf(callOnce(model, "a cat"), "unavailable");
          assert.equal(error.requestId, "req_7");
        },
        { respond: () => ({ status: 500, headers: { "x-request-id": "req_7" }, body: "" }) },
      ),
    "no message shows the key or the address, even where the server repeats them": () =>
      onStage(
        provider,
        async ({ model, server }) => {
          const error = await failureOf(callOnce(model, "a cat"), "invalid_request");
          assert.ok(!error.message.includes(canaryKey), error.message);
          assert.ok(!error.message.includes(server.url), error.message);
        },
        {
          respond: ({ headers }) => ({
            status: 400,
            headers: { "content-type": "application/json" },
            body: JSON.stringify({
              error: { message: `${headers.authorization} at http://${headers.host}/` },
            }),
          }),
        },
      ),
  };
}
