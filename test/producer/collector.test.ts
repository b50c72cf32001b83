import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { AttemptRecord, ImageRecord } from "../../shared/result.ts";
import { startTestRedis, type TestRedis } from "../helpers/redis.ts";
import { openProducerStage, type ProducerStage } from "./producer-stage.ts";

let server: TestRedis;
beforeAll(async () => {
  server = await startTestRedis();
});
afterAll(() => server.close());

const streamLength = ({ redis, keys, run }: ProducerStage) => redis.xlen(keys.results(run.id));
const indexesOf = async (stage: ProducerStage) =>
  (await stage.journaled()).map(({ index }) => index);

function image(generation: number): ImageRecord {
  return {
    generation,
    file: `images/00000/00000004-${generation}.png`,
    width: 1,
    height: 1,
    bytes: 1,
    sha256: "",
  };
}

describe("Collector", () => {
  test("makes results durable with their rows, then forgets them in Redis and in the window", async () => {
    await using stage = await openProducerStage(server);
    stage.prompt(4);
    const attempt: AttemptRecord = {
      generations: [0],
      startedAt: 1,
      endedAt: 2,
      worker: "w",
      outcome: "timeout",
      burned: true,
      sent: true,
    };
    await stage.report(
      stage.result(4, {
        state: "succeeded",
        images: [{ ...image(0), costUsd: 0.5 }],
        attempts: [
          attempt,
          { ...attempt, outcome: "rate_limited", burned: false },
          { ...attempt, outcome: "ok" },
        ],
        costUsd: 0.5,
        usage: { outputTokens: 3 },
      }),
    );
    expect(await stage.collector.collect()).toBe(1);
    expect(await stage.journaled()).toMatchObject([
      {
        index: 4,
        state: "succeeded",
        newImages: 1,
        calls: 3,
        retries: 1,
        throttled: 1,
        row: { prompt: "prompt 4", columns: { row: 4 } },
        costUsd: 0.5,
        usage: { outputTokens: 3 },
      },
    ]);
    expect([stage.settled.has(4), stage.window.size, await streamLength(stage)]).toEqual([
      true,
      0,
      0,
    ]);
    expect(stage.batches).toEqual([[4]]);
  });

  test("drops what nobody waits for: other rounds and runs, settled ones, repeated ones, ones asked for fewer images", async () => {
    await using stage = await openProducerStage(server, { round: 1, numGenerations: 2 });
    for (const index of [0, 1, 2, 3]) stage.prompt(index);
    await stage.report(stage.result(0));
    await stage.collector.drain();
    await stage.report(
      stage.result(1, { round: 0, state: "partial" }),
      stage.result(1, { run: "another", state: "partial" }),
      stage.result(0, { state: "partial" }),
      stage.result(3, { numGenerations: 1 }),
      stage.result(7),
      stage.result(1),
      stage.result(1, { state: "partial" }),
    );
    await stage.collector.drain();
    expect(await indexesOf(stage)).toEqual([0, 1]);
    expect((await stage.journaled()).map(({ state }) => state)).toEqual(["failed", "failed"]);
    expect(Array.from(stage.window.values(), ({ job }) => job.index)).toEqual([2, 3]);
    expect(await streamLength(stage)).toBe(0);
  });

  test("counts images of earlier rounds once", async () => {
    await using stage = await openProducerStage(server, { numGenerations: 2 });
    stage.prompt(0).job.have = [image(1)];
    await stage.report(stage.result(0, { state: "succeeded", images: [image(0), image(1)] }));
    await stage.collector.drain();
    expect(await stage.journaled()).toMatchObject([{ newImages: 1 }]);
    expect(stage.settled.totals.images).toBe(1);
  });

  test("leaves results in Redis, and prompts unsettled, until the journal has them", async () => {
    await using stage = await openProducerStage(server);
    stage.prompt(0);
    await stage.report(stage.result(0));
    const lockPath = join(stage.directory, ".imagemill", "run.lock");
    writeFileSync(
      lockPath,
      JSON.stringify({ host: "h", machine: "m", pid: 1, started: null, epoch: 9, token: "t" }),
    );
    await expect(stage.collector.collect()).rejects.toThrow("lost its run");
    expect([await streamLength(stage), stage.settled.count, stage.window.size]).toEqual([1, 0, 1]);
    expect(stage.batches).toEqual([]);
  });

  test("goes on where a Redis that was replaced counts from a smaller id", async () => {
    await using stage = await openProducerStage(server);
    for (const index of [0, 1]) stage.prompt(index);
    await stage.report(stage.result(0));
    await stage.collector.drain();
    const stream = stage.keys.results(stage.run.id);
    await stage.redis.del(stream);
    await stage.redis.xadd(stream, "5-1", "result", JSON.stringify(stage.result(1)));
    expect(await stage.collector.collect(5_000)).toBe(1);
    expect(await indexesOf(stage)).toEqual([0, 1]);
    expect(await streamLength(stage)).toBe(0);
  });

  test("keeps entries that came while a batch was made durable", async () => {
    await using stage = await openProducerStage(server);
    for (let index = 0; index < 600; index++) stage.prompt(index);
    const all = Array.from({ length: 600 }, (_, index) => stage.result(index));
    const reporting = (async () => {
      for (let from = 0; from < 600; from += 20) await stage.report(...all.slice(from, from + 20));
    })();
    while (stage.settled.count < 600) {
      await Promise.all([stage.collector.collect(50), stage.collector.collect()]);
    }
    await reporting;
    expect((await indexesOf(stage)).toSorted((a, b) => a - b)).toEqual(
      all.map(({ index }) => index),
    );
    expect(await streamLength(stage)).toBe(0);
  });

  test("waits for results no longer than it is told", async () => {
    await using stage = await openProducerStage(server);
    expect(await stage.collector.collect(20)).toBe(0);
    expect(await stage.collector.collect()).toBe(0);
  });
});
