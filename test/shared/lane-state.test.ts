import { describe, expect, test } from "vitest";
import type { Heartbeat } from "../../shared/heartbeat.ts";
import { laneKeys, type LaneKeys } from "../../shared/keys.ts";
import {
  pauseLane,
  pipelineValues,
  readHeartbeats,
  readLaneState,
  unpauseLane,
} from "../../shared/lane-state.ts";
import type { RedisClient } from "../../shared/redis.ts";
import type { Registration } from "../../shared/registration.ts";
import { connectedRedis } from "../helpers/connected-redis.ts";
import { uniquePrefix } from "../helpers/redis.ts";
import { until } from "../helpers/until.ts";

let redis: RedisClient;
connectedRedis("producer", (client) => (redis = client));

const newLane = (): LaneKeys => laneKeys(uniquePrefix(), "{lane}");

function beatOf(worker: string): Heartbeat {
  return {
    v: 1,
    worker,
    host: "host",
    machine: "machine",
    pid: 1,
    version: "0.1.0",
    concurrency: 4,
    fit: true,
    calls: [],
    rssBytes: 1,
  };
}

describe("a lane's state", () => {
  test("of a lane that nobody touched: no pause, no hold, no runs", async () => {
    expect(await readLaneState(redis, newLane())).toEqual({
      pause: undefined,
      holdMs: 0,
      newer: new Set(),
      runs: new Map(),
    });
  });

  test("lists the runs that can be read; one of another version is left out", async () => {
    const keys = newLane();
    const run: Registration = {
      v: 1,
      run: "a",
      round: 0,
      revision: 0,
      location: "/out",
      host: "h",
      state: "running",
    };
    await redis.hset(keys.runs, { a: JSON.stringify(run), b: JSON.stringify({ ...run, v: 2 }) });
    const { runs } = await readLaneState(redis, keys);
    expect([...runs]).toEqual([["a", run]]);
  });

  test("tells pause and reason until it is unpaused, which ends a hold as well", async () => {
    const keys = newLane();
    await pauseLane(redis, keys, { kind: "quota", reason: "no money" });
    await redis.set(keys.hold, "429", "PX", 60_000);
    expect(await readLaneState(redis, keys)).toMatchObject({
      pause: { kind: "quota", reason: "no money" },
    });
    await unpauseLane(redis, keys);
    expect(await readLaneState(redis, keys)).toMatchObject({ pause: undefined, holdMs: 0 });
  });
});

describe("readHeartbeats", () => {
  test("gives the living workers and forgets the ids of those whose heartbeat ran out", async () => {
    const keys = newLane();
    await redis.sadd(keys.workers, "living", "dead");
    await redis.set(keys.heartbeat("living"), JSON.stringify(beatOf("living")), "PX", 60_000);
    await redis.set(keys.heartbeat("dead"), JSON.stringify(beatOf("dead")), "PX", 1);
    await until(async () => expect(await redis.exists(keys.heartbeat("dead"))).toBe(0));
    expect(await readHeartbeats(redis, keys)).toEqual([beatOf("living")]);
    expect(await redis.smembers(keys.workers)).toEqual(["living"]);
  });

  test("leaves out what is no heartbeat, but does not forget its worker", async () => {
    const keys = newLane();
    await redis.sadd(keys.workers, "newer");
    await redis.set(keys.heartbeat("newer"), JSON.stringify({ v: 2 }));
    expect(await readHeartbeats(redis, keys)).toEqual([]);
    expect(await redis.smembers(keys.workers)).toEqual(["newer"]);
  });

  test("of a lane without workers are none", async () => {
    expect(await readHeartbeats(redis, newLane())).toEqual([]);
  });
});

describe("pipelineValues", () => {
  test("rejects with the first error, or where there is no answer at all", async () => {
    const keys = newLane();
    await redis.set(keys.runs, "no hash");
    const replies = await redis.pipeline().get(keys.runs).hgetall(keys.runs).exec();
    expect(() => pipelineValues(replies)).toThrow("WRONGTYPE");
    expect(() => pipelineValues(null)).toThrow("no answer");
    await expect(readLaneState(redis, keys)).rejects.toThrow("WRONGTYPE");
  });
});
