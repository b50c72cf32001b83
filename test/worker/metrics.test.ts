import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { WorkerMetrics } from "../../worker/metrics.ts";
import { parseMetrics, valueOf } from "../helpers/parse-metrics.ts";
import { startTestRedis, type TestRedis } from "../helpers/redis.ts";
import { openTestLane, promptOfIndex } from "../helpers/test-lane.ts";

let server: TestRedis;
beforeAll(async () => {
  server = await startTestRedis();
});
afterAll(() => server.close());

describe("a worker's metrics", () => {
  test("say what the attempts in its results say, without run or prompt in a label", async () => {
    await using lane = await openTestLane(server, {
      simulator: {
        latencyMs: 60,
        promptFaults: [
          { match: promptOfIndex(1), fault: "error500", times: 1 },
          { match: promptOfIndex(2), fault: "rateLimited", times: 1 },
        ],
        faultRetryAfterMs: 150,
      },
    });
    const metrics = new WorkerMetrics(() => 3);
    await lane.serve({ observer: metrics });
    for (let index = 0; index < 5; index++) await lane.add(index);
    const results = await lane.results(5);
    const text = await metrics.registry.metrics();
    const families = parseMetrics(text);
    const attempts = results.flatMap((result) => result.attempts);
    const images = results.flatMap((result) => result.images);
    expect(attempts.map(({ outcome }) => outcome)).toEqual(
      expect.arrayContaining(["ok", "unavailable", "rate_limited"]),
    );
    for (const { outcome } of attempts) {
      const labels = { lane: lane.lane, kind: outcome === "ok" ? "none" : outcome };
      const count = attempts.filter((attempt) => attempt.outcome === outcome).length;
      expect(valueOf(families, "imagemill_attempts_total", labels)).toBe(count);
    }
    expect(valueOf(families, "imagemill_provider_duration_seconds_count")).toBe(attempts.length);
    expect(valueOf(families, "imagemill_images_stored_total")).toBe(images.length);
    expect(valueOf(families, "imagemill_stored_bytes_total")).toBe(
      images.reduce((sum, { bytes }) => sum + bytes, 0),
    );
    expect(valueOf(families, "imagemill_spend_dollars_total")).toBeCloseTo(
      results.reduce((sum, { costUsd }) => sum + (costUsd ?? 0), 0),
    );
    expect(valueOf(families, "imagemill_queue_wait_seconds_count")).toBe(results.length);
    expect(valueOf(families, "imagemill_calls_in_flight")).toBe(3);
    expect(text).not.toContain(lane.run.id);
    expect(text).not.toContain("prompt 1");
  });

  test("split an attempt's time into queue, limiter, provider and storing", async () => {
    await using lane = await openTestLane(server, {
      simulator: {
        latencyMs: 120,
        promptFaults: [{ match: promptOfIndex(0), fault: "rateLimited", times: 1 }],
        faultRetryAfterMs: 400,
        retryAfter: "ms",
      },
    });
    await lane.add(0);
    await lane.serve();
    const [result] = await lane.results(1);
    const [refused, made] = result!.attempts;
    expect(refused).toMatchObject({ outcome: "rate_limited", queuedMs: expect.any(Number) });
    expect(made).toMatchObject({ outcome: "ok", storingMs: expect.any(Number) });
    expect(made!.queuedMs).toBeUndefined();
    expect(made!.limiterMs).toBeGreaterThanOrEqual(350);
    expect(made!.endedAt - made!.startedAt - made!.storingMs!).toBeGreaterThanOrEqual(115);
  });
});
