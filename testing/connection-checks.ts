import assert from "node:assert/strict";
import { freePort } from "./free-port.ts";
import {
  callOnce,
  canaryKey,
  failureOf,
  onStage,
  reasonOf,
  type ProviderUnderTest,
} from "./provider-under-test.ts";
import { sampleImages } from "./sample-images.ts";

/** What connections do to calls, and how calls end that are given up. */
export function connectionChecks(provider: ProviderUnderTest): Record<string, () => Promise<void>> {
  return { ...brokenConnections(provider), ...abortedCalls(provider) };
}

function brokenConnections(provider: ProviderUnderTest): Record<string, () => Promise<void>> {
  const answer = provider.answer(sampleImages(2).slice(1));
  return {
    "a refused connection is unavailable, and was not sent": async () => {
      const port = await freePort();
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

function abortedCalls(provider: ProviderUnderTest): Record<string, () => Promise<void>> {
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
