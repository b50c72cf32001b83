import { describe, expect, test } from "vitest";
import { laneKeys, type LaneKeys } from "../../shared/keys.ts";
import type { RedisClient } from "../../shared/redis.ts";
import { textsOf } from "../../shared/result-entry.ts";
import { PromptResult } from "../../shared/result.ts";
import { ResultWriter } from "../../worker/result-writer.ts";
import { connectedRedis } from "../helpers/connected-redis.ts";
import { uniquePrefix } from "../helpers/redis.ts";

let redis: RedisClient;
connectedRedis("worker", (client) => (redis = client));

function newKeys(): LaneKeys {
  return laneKeys(uniquePrefix(), "{lane}");
}

function result(index: number, run = "abcdefghijkl"): PromptResult {
  const nothing = { images: [], failures: [], attempts: [] };
  return { v: 1, run, round: 0, index, numGenerations: 1, state: "failed", ...nothing };
}

/** The indexes in each entry of the run's stream. */
async function entries(keys: LaneKeys, run = "abcdefghijkl"): Promise<number[][]> {
  const all = await redis.xrange(keys.results(run), "-", "+");
  return all.map(([, fields]) =>
    textsOf(fields).map((text) => PromptResult.parse(JSON.parse(text)).index),
  );
}

describe("ResultWriter", () => {
  test("a result is in the stream when it has been added", async () => {
    const keys = newKeys();
    const writer = new ResultWriter(redis, keys);
    await writer.add(result(1));
    expect(await entries(keys)).toEqual([[1]]);
    await writer.add(result(2));
    expect(await entries(keys)).toEqual([[1], [2]]);
  });

  test("results that come together go in one entry, at most a hundred", async () => {
    const keys = newKeys();
    const writer = new ResultWriter(redis, keys);
    await Promise.all(Array.from({ length: 250 }, (_, index) => writer.add(result(index))));
    const written = await entries(keys);
    expect(written.map((together) => together.length)).toEqual([100, 100, 50]);
    expect(written.flat()).toEqual(Array.from({ length: 250 }, (_, index) => index));
  });

  test("each run has a stream of its own", async () => {
    const keys = newKeys();
    const writer = new ResultWriter(redis, keys);
    await Promise.all([writer.add(result(1)), writer.add(result(2, "bbbbbbbbbbbb"))]);
    expect([await entries(keys), await entries(keys, "bbbbbbbbbbbb")]).toEqual([[[1]], [[2]]]);
  });

  test("whoever added what Redis refuses learns it, and the next ones are written", async () => {
    const keys = newKeys();
    const writer = new ResultWriter(redis, keys);
    await redis.set(keys.results("abcdefghijkl"), "no stream");
    const refused = await Promise.allSettled([1, 2, 3].map((index) => writer.add(result(index))));
    expect(refused.map(({ status }) => status)).toEqual(["rejected", "rejected", "rejected"]);
    await redis.del(keys.results("abcdefghijkl"));
    await writer.add(result(4));
    expect(await entries(keys)).toEqual([[4]]);
  });
});
