import assert from "node:assert/strict";
import { createServer } from "node:net";
import { once } from "node:events";
import type { FailureKind } from "../shared/failure.ts";
import type { CannedAnswer } from "./canned-server.ts";
import {
  callOnce,
  canaryKey,
  failureOf,
  onStage,
  reasonOf,
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

/** How calls fail: every failure has its kind, no call is repeated by itself, no key shows. */
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
    ...connectionChecks(provider),
    ...endChecks(provider),
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

function connectionChecks(provider: ProviderUnderTest): Record<string, () => Promise<void>> {
  const answer = provider.answer(sampleImages(2).slice(1));
  return {
    "a refused connection is unavailable, and was not sent": async () => {
      const port = await closedPort();
      const baseUrl = `http://127.0.0.1:${port}`;
      await using model = provider.createModel({ baseUrl, apiKey: canaryKey, timeoutMs: 10_000 });
      const error = await failureOf(callOnce(model, "a cat"), "unavailable");
      assert.equal(error.sent, false);
    },
    "a connection that is reset is unavailable, and was sent": () =>
      onStage(
        provider,
        async ({ model, server }) => {
          const error = await failureOf(callOnce(model, "a cat"), "unavailable");
          assert.equal(error.sent, true);
          assert.equal(server.received.length, 1);
        },
        { respond: () => "reset" },
      ),
    "an answer that stops half way is unavailable or a bad_response, and was sent": () =>
      onStage(
        provider,
        async ({ model }) => {
          const error = await failureOf(callOnce(model, "a cat"), "unavailable", "bad_response");
          assert.equal(error.sent, true);
        },
        { respond: () => ({ cut: answer }) },
      ),
    "no answer in time is a timeout": () =>
      onStage(
        provider,
        async ({ model }) => {
          await failureOf(callOnce(model, "a cat"), "timeout");
        },
        { respond: () => "hang", timeoutMs: 150 },
      ),
  };
}

function endChecks(provider: ProviderUnderTest): Record<string, () => Promise<void>> {
  return {
    "an aborted call rejects with the signal's own reason and ends its request": async () => {
      const asked = Promise.withResolvers<void>();
      const controller = new AbortController();
      const reason = { why: "enough" };
      const respond = () => {
        asked.resolve();
        return "hang" as const;
      };
      await onStage(
        provider,
        async ({ model, server }) => {
          const ended = reasonOf(callOnce(model, "a cat", { signal: controller.signal }));
          await asked.promise;
          controller.abort(reason);
          assert.equal(await ended, reason);
          await model.unload();
          while (server.openConnections() > 0) await new Promise(setImmediate);
        },
        { respond },
      );
    },
    "a call whose signal is aborted already is not sent": () =>
      onStage(provider, async ({ model, server }) => {
        const reason = new Error("enough");
        const call = callOnce(model, "a cat", { signal: AbortSignal.abort(reason) });
        assert.equal(await reasonOf(call), reason);
        assert.equal(server.received.length, 0);
      }),
  };
}

/** A port of this machine on which nobody listens. */
async function closedPort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  server.close();
  await once(server, "close");
  if (address === null || typeof address === "string") throw new Error("Expected a TCP address");
  return address.port;
}
