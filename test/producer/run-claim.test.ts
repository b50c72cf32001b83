import { hostname } from "node:os";
import { setTimeout as delay } from "node:timers/promises";
import { describe, expect, test } from "vitest";
import { RunClaim } from "../../producer/run-claim.ts";
import { RunInUseError, RunLostError } from "../../producer/run-lock.ts";
import type { RedisClient } from "../../shared/redis.ts";
import { connectedRedis } from "../helpers/connected-redis.ts";
import { uniquePrefix } from "../helpers/redis.ts";
import { until } from "../helpers/until.ts";

let redis: RedisClient;
connectedRedis("producer", (client) => (redis = client));

/** A claim on a run for each place, in one Redis. */
function claims(...places: string[]): { key: string; of: RunClaim[] } {
  const key = `${uniquePrefix()}:producer:r1`;
  return { key, of: places.map((place) => new RunClaim(redis, key, { run: "r1", place })) };
}

const quietly = { stopping: new AbortController().signal, onWait: () => undefined };

/** Does something over and over while `work` goes on. */
async function meanwhile(again: () => Promise<unknown>, work: Promise<unknown>): Promise<void> {
  const over = new AbortController();
  const end = work.finally(() => over.abort());
  end.catch(() => undefined);
  while (!over.signal.aborted) {
    await again();
    await Promise.race([delay(50), end.catch(() => undefined)]);
  }
  await end;
}

describe("the claim on a run", () => {
  test("refuses another place while its holder lives, and names that", async () => {
    const { of } = claims("/runs/a", "/runs/b");
    await of[0]!.take(false, quietly);
    const refused = meanwhile(() => of[0]!.renew(), of[1]!.take(false, quietly));
    await expect(refused).rejects.toThrow(RunInUseError);
    await expect(meanwhile(() => of[0]!.renew(), of[1]!.take(false, quietly))).rejects.toThrow(
      `run r1 is driven from /runs/a on ${hostname()} (process ${process.pid}): go on there`,
    );
    await expect(of[0]!.renew()).resolves.toBeUndefined();
  });

  test("goes to another place once its holder has been silent for as long as it counts", async () => {
    const { key, of } = claims("/runs/a", "/runs/b");
    await of[0]!.take(false, quietly);
    await redis.pexpire(key, 400);
    await of[1]!.take(false, quietly);
    await expect(of[1]!.renew()).resolves.toBeUndefined();
  });

  test("of another place is waited for, which is told once with the time, and no longer than the run wants", async () => {
    const { key, of } = claims("/runs/a", "/runs/b");
    await of[0]!.take(false, quietly);
    await redis.pexpire(key, 8_990);
    const stopped = new AbortController();
    const told: string[] = [];
    const onWait = (text: string) => void told.push(text);
    const taken = of[1]!.take(false, { stopping: stopped.signal, onWait });
    await until(() => expect(told).not.toEqual([]));
    await until(async () => expect(await redis.pttl(key)).toBeLessThan(7_600));
    expect(told).toEqual([
      expect.stringMatching(
        /^run r1 was driven from \/runs\/a on .*: waits until \d\d:\d\d:\d\d \(9 s\) for that producer/,
      ),
    ]);
    stopped.abort();
    await expect(taken).rejects.toThrow("aborted");
  });

  test("of the same place is taken over at once, and the one before writes nothing more", async () => {
    const { key, of } = claims("/runs/a", "/runs/a");
    await of[0]!.take(false, quietly);
    await redis.persist(key);
    await of[1]!.take(false, quietly);
    await expect(of[0]!.renew()).rejects.toThrow(RunLostError);
    await expect(of[1]!.renew()).resolves.toBeUndefined();
  });

  test("of another place is taken over at once in a Redis that nobody else uses", async () => {
    const { key, of } = claims("/runs/a", "/runs/b");
    await of[0]!.take(true, quietly);
    await redis.persist(key);
    await of[1]!.take(true, quietly);
    await expect(of[1]!.renew()).resolves.toBeUndefined();
  });

  test("of a bucket is that of the same place on every host", async () => {
    const { key, of } = claims("s3://bucket/a");
    const elsewhere = { host: "h", machine: "m", place: "s3://bucket/a", pid: 1, token: "t" };
    await redis.set(key, JSON.stringify(elsewhere));
    await of[0]!.take(false, quietly);
    expect(await redis.get(key)).toContain(hostname());
  });

  test("of a folder on another host is that of another place", async () => {
    const { key, of } = claims("/runs/a");
    const elsewhere = { host: "h", machine: "m", place: "/runs/a", pid: 1, token: "t" };
    const living = () => redis.set(key, JSON.stringify(elsewhere), "PX", 10_000);
    await living();
    await expect(meanwhile(living, of[0]!.take(false, quietly))).rejects.toThrow(
      "from /runs/a on h",
    );
  });

  test("is set again in a Redis that was emptied", async () => {
    const { key, of } = claims("/runs/a");
    await of[0]!.take(false, quietly);
    await redis.del(key);
    await of[0]!.renew();
    expect(await redis.pttl(key)).toBeGreaterThan(5_000);
  });

  test("that a producer of an older version keeps is respected until it runs out", async () => {
    const { key, of } = claims("/runs/a");
    const living = () => redis.set(key, "1", "PX", 10_000);
    await living();
    await expect(meanwhile(living, of[0]!.take(false, quietly))).rejects.toThrow(
      "by an older version",
    );
    await redis.pexpire(key, 400);
    await of[0]!.take(false, quietly);
  });
});
