import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { Redis } from "ioredis";
import { describe, expect, test } from "vitest";
import { startTestRedis } from "../helpers/redis.ts";
import { readJournalOf } from "../helpers/run-files.ts";
import { openStage, promptRows } from "../helpers/stage.ts";

const imageBytes = 1_000_000;

/** Notes the most bytes that any one value has taken, by its key without what differs from job to job. */
async function sampleSizes(redis: Redis, largest: Map<string, number>): Promise<void> {
  const keys = await redis.keys("*");
  const sizes = await Promise.all(keys.map((key) => largestValue(redis, key)));
  for (const [i, key] of keys.entries()) {
    const kind = key.replaceAll(/[a-z2-7]{12}-\d+-\d+(-\d+)?/g, "JOB");
    largest.set(kind, Math.max(largest.get(kind) ?? 0, sizes[i]!));
  }
}

/** Bytes of a key's value; of a stream, which holds a history, those of its largest entry. */
async function largestValue(redis: Redis, key: string): Promise<number> {
  if ((await redis.type(key)) !== "stream") {
    return (await redis.memory("USAGE", key, "SAMPLES", 0)) ?? 0;
  }
  const entries = await redis.xrange(key, "-", "+");
  return Math.max(0, ...entries.map(([, fields]) => fields.join("").length));
}

describe("the Redis of a run", () => {
  test("never holds image bytes, and no job is left in it after the run", async () => {
    await using server = await startTestRedis({ tcp: true });
    await using stage = await openStage({ imageBytes, latencyMs: 50 });
    stage.env["REDIS_URL"] = server.url;
    const redis = new Redis(server.url);
    const dataset = stage.dataset(promptRows(16));
    const life = stage.start(dataset, "-m", "dall-e-3", "-n", "2", "-c", "4");
    const largest = new Map<string, number>();
    while (life.alive) await sampleSizes(redis, largest);
    const end = await life.ended;
    const left = await redis.keys("*");
    const peakBytes = Number(/used_memory_peak:(\d+)/.exec(await redis.info("memory"))?.[1]);
    redis.disconnect();
    expect(end.summary).toMatchObject({ state: "completed", images: 32 });
    const sizes = readJournalOf(stage.out).flatMap(({ images }) =>
      images.map(({ bytes }) => bytes),
    );
    expect(Math.min(...sizes)).toBeGreaterThan(imageBytes * 0.9);
    expect([...largest.keys()].some((kind) => kind.endsWith(":JOB"))).toBe(true);
    expect(Math.max(...largest.values())).toBeLessThan(16_384);
    expect(peakBytes).toBeLessThan(5 * imageBytes);
    expect(left.filter((key) => key.includes(end.summary.run))).toEqual([]);
  });
});

describe("a machine without a Redis server", () => {
  test("is told what to install, or to set REDIS_URL", async () => {
    await using stage = await openStage();
    stage.env["PATH"] = join(stage.folder, "bin");
    mkdirSync(stage.env["PATH"]);
    const end = await stage.run(stage.dataset(promptRows(2)), "-m", "gpt-image-2");
    expect(end).toMatchObject({ code: 2, stdout: "" });
    expect(end.stderr).toMatch(
      /Expected redis-server or valkey-server on PATH.*apt-get install redis-server.*REDIS_URL/,
    );
    expect(stage.simulator.ledger.calls).toBe(0);
  });
});
