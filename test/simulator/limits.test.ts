import * as fc from "fast-check";
import { expect, test } from "vitest";
import { tokenBuckets } from "../../simulator/limits.ts";
import { shortDuration } from "../../simulator/retry-after.ts";
import { SimulatorSettings } from "../../simulator/settings.ts";
import { startSimulator } from "../../simulator/simulator.ts";
import { askImages, errorOf, ImagesAnswer, post } from "./requests.ts";

test("in no window more is admitted than the limit and what had been saved", () => {
  const call = fc.record({
    afterMs: fc.integer({ min: 0, max: 20_000 }),
    n: fc.integer({ min: 1, max: 10 }),
  });
  fc.assert(
    fc.property(
      fc.array(call, { maxLength: 200 }),
      fc.integer({ min: 1, max: 60 }),
      (calls, imagesPerMinute) => {
        const settings = SimulatorSettings.parse({ imagesPerMinute });
        let now = 0;
        let admitted = 0;
        const limits = tokenBuckets(() => now);
        for (const { afterMs, n } of calls) {
          now += afterMs;
          if (!limits.admit(settings, n)) admitted += n;
        }
        expect(admitted).toBeLessThanOrEqual(imagesPerMinute * (1 + now / 60_000) + 1e-6);
      },
    ),
  );
});

test("a call that waits as long as it was told is admitted", () => {
  const limit = fc.integer({ min: 1, max: 50 });
  fc.assert(
    fc.property(limit, limit, (one, other) => {
      const settings = SimulatorSettings.parse({ imagesPerMinute: Math.max(one, other) });
      const n = Math.min(one, other);
      let now = 0;
      const limits = tokenBuckets(() => now);
      limits.admit(settings, Math.max(one, other));
      now += limits.admit(settings, n)!.waitMs!;
      expect(limits.admit(settings, n)).toBeUndefined();
    }),
  );
});

test("a small burst paces calls evenly", () => {
  const settings = SimulatorSettings.parse({ requestsPerMinute: 60, limitBurst: 0.05 });
  let now = 0;
  const limits = tokenBuckets(() => now);
  const admit = () => limits.admit(settings, 1) === undefined;
  expect([admit(), admit(), admit(), admit()]).toEqual([true, true, true, false]);
  now = 1_001;
  expect([admit(), admit()]).toEqual([true, false]);
});

test("a limit that comes back each window is used up within one, and whole again in the next", () => {
  const settings = SimulatorSettings.parse({ imagesPerMinute: 3, limitRefill: "each window" });
  let now = 50_000;
  const limits = tokenBuckets(() => now);
  const waitMs = () => limits.admit(settings, 1)?.waitMs;
  expect([waitMs(), waitMs(), waitMs(), waitMs()]).toEqual([
    undefined,
    undefined,
    undefined,
    10_000,
  ]);
  now = 59_999;
  expect(waitMs()).toBe(1);
  now = 60_000;
  expect(limits.standings(settings)).toMatchObject([{ remaining: 3, resetMs: 60_000 }]);
  expect([waitMs(), waitMs(), waitMs(), waitMs()]).toEqual([
    undefined,
    undefined,
    undefined,
    60_000,
  ]);
});

test("the limit on images counts n, and the 429 says limit, used and requested", async () => {
  await using simulator = await startSimulator({ imagesPerMinute: 5 });
  expect((await askImages(simulator.url, { n: 4 })).status).toBe(200);
  const response = await askImages(simulator.url, { n: 2 });
  expect(response.headers.get("retry-after")).toBe("12");
  const error = await errorOf(response);
  expect(error).toMatchObject({ status: 429, type: "input-images", code: "rate_limit_exceeded" });
  expect(error.message).toMatch(
    /: Limit 5, Used 4, Requested 2\. Please try again in (12|11\.\d+)s\. /,
  );
});

test("the limit on tokens counts what the answer's usage tells, and the 429 says so in OpenAI's words", async () => {
  await using simulator = await startSimulator({ tokensPerMinute: 5_000 });
  const ask = (n: number) =>
    askImages(simulator.url, { model: "gpt-image-1", size: "1024x1024", quality: "medium", n });
  const response = await ask(4);
  const { usage } = ImagesAnswer.parse(await response.json());
  expect(usage!.total_tokens).toBe(4 * 1_056 + 2);
  expect(Array.from(simulator.ledger.records(), ({ tokens }) => tokens)).toEqual([4_226]);
  expect(response.headers.get("x-ratelimit-limit-tokens")).toBe("5000");
  const remaining = Number(response.headers.get("x-ratelimit-remaining-tokens"));
  expect(remaining).toBeGreaterThanOrEqual(774);
  expect(remaining).toBeLessThan(1_058);
  const error = await errorOf(await ask(1));
  expect(error).toMatchObject({ status: 429, type: "tokens", code: "rate_limit_exceeded" });
  expect(error.message).toMatch(
    /^Rate limit reached for gpt-image-1 in organization org-simulator on tokens per min \(TPM\): Limit 5000, Used 4\d{3}, Requested 1058\. Please try again in [\d.]+m?s\. /,
  );
  expect((await errorOf(await ask(5))).message).toContain("Request too large for gpt-image-1");
});

test("calls for a model whose answers tell no usage take no tokens", async () => {
  await using simulator = await startSimulator({ tokensPerMinute: 1 });
  expect((await askImages(simulator.url, { n: 4 })).status).toBe(200);
  expect((await askImages(simulator.url, { n: 4 })).status).toBe(200);
});

test("a call of more images than the limit is told so, without a time to wait", async () => {
  await using simulator = await startSimulator({ imagesPerMinute: 5 });
  const response = await askImages(simulator.url, { n: 10 });
  expect(response.headers.get("retry-after")).toBeNull();
  expect((await errorOf(response)).message).toContain("Request too large for imagemill-sim");
  expect(simulator.ledger.images).toBe(0);
});

test("answers carry how the limits stand", async () => {
  await using simulator = await startSimulator({ imagesPerMinute: 10, requestsPerMinute: 100 });
  const { headers } = await askImages(simulator.url, { n: 4 });
  expect(headers.get("x-ratelimit-limit-images")).toBe("10");
  expect(headers.get("x-ratelimit-remaining-images")).toBe("6");
  expect(headers.get("x-ratelimit-reset-images")).toMatch(/^(24|23\.\d+)s$/);
  expect(headers.get("x-ratelimit-remaining-requests")).toBe("99");
  simulator.settings.rateLimitHeaders = false;
  expect((await askImages(simulator.url, {})).headers.get("x-ratelimit-limit-images")).toBeNull();
});

test("each form of retry-after says it in its own place", async () => {
  await using simulator = await startSimulator({
    faults: { rateLimited: 1 },
    faultRetryAfterMs: 1_500,
  });
  const ask = async (form: SimulatorSettings["retryAfter"]) => {
    simulator.settings.retryAfter = form;
    const response = await askImages(simulator.url, {});
    const { headers } = response;
    const inText = (await errorOf(response)).message.includes("Please try again in 1.5s.");
    return { seconds: headers.get("retry-after"), ms: headers.get("retry-after-ms"), inText };
  };
  expect(await ask("seconds")).toEqual({ seconds: "2", ms: null, inText: true });
  expect(await ask("ms")).toEqual({ seconds: null, ms: "1500", inText: false });
  expect(await ask("message")).toEqual({ seconds: null, ms: null, inText: true });
  expect(await ask("none")).toEqual({ seconds: null, ms: null, inText: false });
  const askedAt = Date.now();
  const { seconds, ms, inText } = await ask("date");
  expect([ms, inText]).toEqual([null, false]);
  expect(Date.parse(seconds!) - askedAt).toBeGreaterThanOrEqual(1_500);
  expect(Date.parse(seconds!) - askedAt).toBeLessThan(3_500);
});

test("Hugging Face calls share the limits", async () => {
  await using simulator = await startSimulator({ requestsPerMinute: 2 });
  const ask = async () => (await post(`${simulator.url}/models/m`, { inputs: "a fox" })).status;
  expect([await ask(), await ask(), await ask()]).toEqual([200, 200, 429]);
});

test("a refused call takes nothing from the limits", async () => {
  await using simulator = await startSimulator({ imagesPerMinute: 2, apiKey: "k" });
  const good = { authorization: "Bearer k" };
  await askImages(simulator.url, { n: 2 });
  await askImages(simulator.url, { n: 0 }, good);
  expect((await askImages(simulator.url, { n: 2 }, good)).status).toBe(200);
});

test("the quota ends after so many images, with a 429 that names no time", async () => {
  await using simulator = await startSimulator({ quotaAfterImages: 3 });
  expect((await askImages(simulator.url, { n: 3 })).status).toBe(200);
  const response = await askImages(simulator.url, {});
  expect(response.headers.get("retry-after")).toBeNull();
  expect(await errorOf(response)).toMatchObject({
    status: 429,
    type: "insufficient_quota",
    code: "insufficient_quota",
  });
});

test("durations are written as OpenAI writes them", () => {
  expect([120, 999.5, 12_000, 1_500, 62_500, 120_000].map(shortDuration)).toEqual([
    "120ms",
    "1s",
    "12s",
    "1.5s",
    "1m2.5s",
    "2m0s",
  ]);
});
