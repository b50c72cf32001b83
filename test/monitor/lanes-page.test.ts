import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { startMonitor } from "../../monitor/monitor.ts";
import { Cleanup } from "../../shared/cleanup.ts";
import { laneKeys, lanesKey } from "../../shared/keys.ts";
import { silentLog } from "../../shared/log.ts";
import { connectRedis } from "../../shared/redis.ts";
import { parseRedisTarget } from "../../shared/redis-target.ts";
import { Pace } from "../../worker/pace.ts";
import { parseMetrics, valueOf } from "../helpers/parse-metrics.ts";
import { startTestRedis, uniquePrefix } from "../helpers/redis.ts";
import { temporaryFolder } from "../helpers/temporary-folder.ts";
import { testRun } from "../helpers/test-run.ts";

test("lanes of one name in two Redis are paused each on its own, and counted together", async () => {
  await using stack = new Cleanup();
  const prefix = uniquePrefix();
  const run = testRun();
  const lane = "{test-00000000-imagemill-sim-1}";
  const card = JSON.stringify({ v: 1, profile: run.profile, model: run.model });
  const open = async () => {
    const server = stack.use(await startTestRedis());
    const target = parseRedisTarget(server.url);
    const redis = connectRedis(target, { role: "producer" });
    stack.defer(() => redis.disconnect());
    await redis.hset(lanesKey(prefix), { [lane]: card });
    await redis.lpush(`${prefix}:queue:${lane}:wait`, "job");
    return { target, redis };
  };
  const [shared, own] = [await open(), await open()];
  const runs = temporaryFolder();
  mkdirSync(join(runs, "own", ".imagemill"), { recursive: true });
  writeFileSync(join(runs, "own", ".imagemill", "run.json"), JSON.stringify(run));
  const { url } = stack.use(
    await startMonitor({
      places: { roots: [runs], directories: [] },
      address: { host: "127.0.0.1", port: 0 },
      token: "a token of the test",
      redis: shared.target,
      privateRedis: async () => own.target,
      prefix,
      cacheDirectory: join(runs, "cache"),
      log: silentLog,
    }),
  );
  const headers = { authorization: "Bearer a token of the test" };
  const page = await (await fetch(`${url}/lanes`, { headers })).text();
  const sources = Array.from(page.matchAll(/name="source" value="([^"]+)"/g), ([, name]) => name!);
  expect(sources).toEqual(["shared", join(runs, "own")]);
  const body = new URLSearchParams({ lane, source: sources[1]! });
  expect((await fetch(`${url}/lanes/pause`, { method: "POST", headers, body })).status).toBe(200);
  const paused = laneKeys(prefix, lane).pause;
  expect(await own.redis.hgetall(paused)).toMatchObject({ kind: "person" });
  expect(await shared.redis.hgetall(paused)).toEqual({});
  const families = parseMetrics(await (await fetch(`${url}/metrics`)).text());
  expect(valueOf(families, "imagemill_jobs", { state: "wait" })).toBe(2);
});

test("a lane shows the limit on tokens that its run was given, or that its provider told", async () => {
  await using stack = new Cleanup();
  const prefix = uniquePrefix();
  const server = stack.use(await startTestRedis());
  const target = parseRedisTarget(server.url);
  const redis = connectRedis(target, { role: "producer" });
  stack.defer(() => redis.disconnect());
  const run = testRun();
  const [given, told] = ["{test-00000000-given}", "{test-00000000-told}"];
  const card = JSON.stringify({ v: 1, profile: run.profile, model: run.model });
  await redis.hset(lanesKey(prefix), { [given]: card, [told]: card });
  const registration = { v: 1, run: run.id, round: 0, revision: 0, location: "/gone", host: "h" };
  const limits = { tokensPerMinute: 250_000 };
  const text = JSON.stringify({ ...registration, state: "running", limits });
  await redis.hset(laneKeys(prefix, given).runs, run.id, text);
  await new Pace(redis, laneKeys(prefix, told), "w").told({ tokensPerMinute: 90_000 });
  const { url } = stack.use(
    await startMonitor({
      places: { roots: [temporaryFolder()], directories: [] },
      address: { host: "127.0.0.1", port: 0 },
      token: "a token of the test",
      redis: target,
      privateRedis: async () => undefined,
      prefix,
      cacheDirectory: temporaryFolder(),
      log: silentLog,
    }),
  );
  const headers = { authorization: "Bearer a token of the test" };
  const page = await (await fetch(`${url}/lanes`, { headers })).text();
  const shown = Array.from(page.matchAll(/<dt>Token limit<\/dt>\s*<dd>([^<]*)</g), ([, at]) => at);
  expect(shown).toEqual(["250,000/min", "90,000/min"]);
});
