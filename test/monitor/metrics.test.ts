import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { parseMetrics, valueOf } from "../helpers/parse-metrics.ts";
import { startTestRedis, type TestRedis } from "../helpers/redis.ts";
import { openWatchedMill } from "../helpers/watched-mill.ts";
import { until } from "../helpers/until.ts";

let server: TestRedis;
beforeAll(async () => {
  server = await startTestRedis();
});
afterAll(() => server.close());

describe("the monitor's metrics", () => {
  test("tell a lane's jobs, workers, retries, pause and progress, without run or prompt in a label", async () => {
    await using watched = await openWatchedMill(server, {
      prompts: 8,
      simulator: { promptFaults: [{ match: "prompt 3 of", fault: "error500" }] },
    });
    const { mill, monitor } = watched;
    const run = await mill.open({}, { attempts: 9 });
    await mill.work();
    const scrape = async () => await (await fetch(`${monitor.url}/metrics`)).text();
    await until(async () => {
      const families = parseMetrics(await scrape());
      expect(valueOf(families, "imagemill_retries_waiting")).toBe(1);
      expect(valueOf(families, "imagemill_jobs", { state: "delayed" })).toBe(1);
      expect(valueOf(families, "imagemill_last_progress_timestamp_seconds")).toBeGreaterThan(1e9);
    });
    const text = await scrape();
    const families = parseMetrics(text);
    expect(valueOf(families, "imagemill_redis_up")).toBe(1);
    expect(valueOf(families, "imagemill_lane_workers")).toBe(1);
    expect(valueOf(families, "imagemill_lane_concurrency")).toBe(4);
    expect(valueOf(families, "imagemill_lane_runs", { state: "running" })).toBe(1);
    expect(valueOf(families, "imagemill_stuck_parents")).toBe(0);
    expect(text).not.toContain(run.id);
    await mill.redis.hset(mill.keys.pause, { kind: "quota", reason: "no money" });
    await until(async () =>
      expect(
        valueOf(parseMetrics(await scrape()), "imagemill_lane_paused", { kind: "quota" }),
      ).toBe(1),
    );
  });

  test("are the same for two who ask at once", async () => {
    await using watched = await openWatchedMill(server, { prompts: 3 });
    const { mill, monitor } = watched;
    await mill.open();
    await until(async () => {
      const found = await mill.redis.keys(`${mill.prefix}:queue:*:wait`);
      expect(found).toHaveLength(1);
      expect(await mill.redis.llen(found[0]!)).toBe(3);
    });
    const scrape = async () => {
      const text = await (await fetch(`${monitor.url}/metrics`)).text();
      return valueOf(parseMetrics(text), "imagemill_jobs", { state: "wait" });
    };
    // The first ones who ask: for later ones there may be an answer of a moment ago.
    expect(await Promise.all([scrape(), scrape(), scrape()])).toEqual([3, 3, 3]);
  });

  test("say that Redis is away, and the monitor stays alive", async () => {
    await using own = await startTestRedis();
    await using watched = await openWatchedMill(own, { prompts: 1 });
    const { url } = watched.monitor;
    const status = async (path: string) => (await fetch(url + path)).status;
    expect([await status("/livez"), await status("/readyz")]).toEqual([200, 200]);
    await own.kill();
    await until(async () => expect(await status("/readyz")).toBe(503));
    expect([await status("/livez"), await status("/")]).toEqual([200, 200]);
    const families = parseMetrics(await (await fetch(`${url}/metrics`)).text());
    expect(valueOf(families, "imagemill_redis_up")).toBe(0);
  });
});
