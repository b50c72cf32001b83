import { expect, test } from "vitest";
import { z } from "zod";
import { ProviderError } from "../../../shared/failure.ts";
import type { CallOptions } from "../../../worker/providers/image-generation.ts";
import { rejection } from "./provider-server.ts";
import { Smallest } from "./smallest-model.ts";
import { until } from "../../helpers/until.ts";

/** Fails as it is told to, call by call, then draws what it is asked for. */
class Failing extends Smallest {
  override readonly maxGenerationsPerCall = 10;
  readonly failures: (ProviderError | number)[];

  constructor(failures: (ProviderError | number)[]) {
    super();
    this.failures = failures;
  }

  override async agenerate(input: string, call: CallOptions<{ steps: number }>) {
    await super.agenerate(input, call);
    const failure = this.failures.shift();
    if (failure instanceof ProviderError) throw failure;
    const length = Math.min(failure ?? Infinity, call.numGenerations);
    return { images: Array.from({ length }, () => ({ bytes: Buffer.from("x") })) };
  }

  counts(): number[] {
    return this.seen.map(
      (call) => z.object({ numGenerations: z.int() }).parse(call).numGenerations,
    );
  }
}

test("what may succeed at another try is tried again, after the time that the provider asks for", async () => {
  const busy = new ProviderError("unavailable", "busy", { retryAfterMs: 1 });
  const limited = new ProviderError("rate_limited", "slow down", { retryAfterMs: 30 });
  const model = new Failing([busy, limited]);
  const startedAt = performance.now();
  const warnings: string[] = [];
  const onWarning = (text: string) => warnings.push(text);
  expect((await model.generateOutputs(["a"], { onWarning }))[0]!.images).toHaveLength(1);
  expect(warnings).toEqual(["busy: tried again in 0.0 s", "slow down: tried again in 0.0 s"]);
  expect(performance.now() - startedAt).toBeGreaterThan(25);
  expect(model.counts()).toEqual([1, 1, 1]);
});

test("tries end with maxRetries, and a broken answer is tried three times in all", async () => {
  const busy = new ProviderError("unavailable", "busy", { retryAfterMs: 0 });
  const broken = new ProviderError("bad_response", "half an image", { retryAfterMs: 0 });
  const always = new Failing(Array.from({ length: 20 }, () => busy));
  expect((await always.generateSettled(["a"]))[0]!.errors).toEqual([busy]);
  expect(always.counts()).toHaveLength(7);
  const halves = new Failing(Array.from({ length: 20 }, () => broken));
  expect((await halves.generateSettled(["a"]))[0]!.errors).toEqual([broken]);
  expect(halves.counts()).toHaveLength(3);
});

test("images that an answer lacks are asked for again, and a call over the limit is made smaller", async () => {
  const tooMany = new ProviderError("request_exceeds_limit", "Limit 3", { imagesLimit: 3 });
  const model = new Failing([tooMany, 1]);
  expect((await model.generateOutputs(["a"], { numGenerations: 5 }))[0]!.images).toHaveLength(5);
  expect(model.counts()).toEqual([5, 3, 3, 1]);
});

test("after a refused key no further call is begun", async () => {
  const refused = new ProviderError("auth", "wrong key");
  const model = new Failing([refused]);
  const outcomes = await model.generateSettled(["a", "b", "c"], { concurrency: 1 });
  expect(outcomes.map(({ errors }) => errors)).toEqual([[refused], [refused], [refused]]);
  expect(model.counts()).toHaveLength(1);
});

test("an abort ends the wait before another try", async () => {
  const busy = new ProviderError("unavailable", "busy", { retryAfterMs: 3_600_000 });
  const model = new Failing([busy]);
  const reason = new Error("enough");
  const controller = new AbortController();
  const ended = rejection(model.generate(["a"], { signal: controller.signal }));
  await until(() => expect(model.seen.length).toBe(1));
  controller.abort(reason);
  expect(await ended).toBe(reason);
});
