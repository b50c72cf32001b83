import { mkdir, rename, rm } from "node:fs/promises";
import { basename, join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { laneKeys, lanesKey } from "../../shared/keys.ts";
import type { LaneCard } from "../../shared/lane-card.ts";
import { laneName } from "../../shared/lane.ts";
import { silentLog, type Log } from "../../shared/log.ts";
import { profileIdentity, type Profile } from "../../shared/profile.ts";
import { parseRedisTarget } from "../../shared/redis-target.ts";
import { createWorker, type ImageWorker } from "../../worker/create-worker.ts";
import type { WorkerOptions } from "../../worker/worker-options.ts";
import { startTestRedis, type TestRedis } from "../helpers/redis.ts";
import { openTestLane, type TestLane } from "../helpers/test-lane.ts";
import { AnswerHold, watchedModels } from "../helpers/watched-model.ts";
import { until } from "../helpers/until.ts";

let server: TestRedis;
beforeAll(async () => {
  server = await startTestRedis();
});
afterAll(() => server.close());

function start(
  { prefix, profile }: TestLane,
  options: Partial<WorkerOptions> = {},
): Promise<ImageWorker> {
  return createWorker({
    redis: parseRedisTarget(server.url),
    prefix,
    profiles: [profile],
    concurrency: 2,
    ...options,
  });
}

describe.concurrent("createWorker", () => {
  test("serves lanes that are there and lanes that are opened later", async () => {
    await using lane = await openTestLane(server);
    const card = await lane.redis.hget(lanesKey(lane.prefix), lane.lane);
    await lane.redis.del(lanesKey(lane.prefix));
    await using worker = await start(lane);
    await lane.add(0);
    expect(await lane.heartbeats()).toEqual([]);
    await lane.redis.hset(lanesKey(lane.prefix), lane.lane, card!);
    expect(await lane.results(1)).toMatchObject([{ state: "succeeded" }]);
    expect(await lane.heartbeats()).toMatchObject([{ worker: worker.id, concurrency: 2 }]);
  });

  test("whose job lost its lock in an outage makes no line of it: the job is done again", async () => {
    await using lane = await openTestLane(server);
    const hold = new AnswerHold();
    const [told, details]: [string[], string[]] = [[], []];
    const log: Log = {
      ...silentLog,
      debug: (_, text) => details.push(text),
      warn: (_, text) => told.push(text),
    };
    await using _ = await start(lane, { log, createModel: watchedModels(hold) });
    const id = await lane.add(0);
    await until(() => expect(hold.held).toBe(1));
    await lane.redis.del(`${lane.queue.toKey(id)}:lock`);
    hold.release();
    await until(() => expect(details.join()).toContain(`Missing lock for job ${id}`));
    await until(async () => expect(await lane.jobKeys()).toEqual([]));
    expect(told).toEqual([]);
    expect(lane.simulator.ledger.calls).toBe(1);
  });

  test("whose jobs all lost their locks tells of that once, in detail only, and how often at its end", async () => {
    await using lane = await openTestLane(server);
    const hold = new AnswerHold();
    const [told, details]: [string[], [text: string, fields: object][]] = [[], []];
    const log: Log = {
      ...silentLog,
      debug: (fields, text) => details.push([text, fields]),
      warn: (_, text) => told.push(text),
    };
    const renewals = () => details.filter(([text]) => text.includes("could not renew lock"));
    await using worker = await start(lane, {
      log,
      createModel: watchedModels(hold),
      concurrency: 4,
    });
    const ids = await Promise.all([0, 1, 2, 3].map((index) => lane.add(index)));
    await until(() => expect(hold.held).toBe(4));
    await lane.redis.del(...ids.map((id) => `${lane.queue.toKey(id)}:lock`));
    await until(() => expect(renewals()).toHaveLength(1));
    hold.release();
    await until(async () => expect(await lane.jobKeys()).toEqual([]));
    await worker.close();
    expect(renewals()).toHaveLength(2);
    expect(renewals()[1]).toEqual([expect.any(String), { count: expect.any(Number) }]);
    expect(told).toEqual([]);
  });

  test("ends what it began where one of its lanes cannot be served", async () => {
    await using lane = await openTestLane(server);
    const broken = `${lane.lane}-broken`;
    const card = await lane.redis.hget(lanesKey(lane.prefix), lane.lane);
    await lane.redis.hset(lanesKey(lane.prefix), broken, card!);
    await lane.redis.set(laneKeys(lane.prefix, broken).runs, "no hash");
    await expect(start(lane)).rejects.toThrow("WRONGTYPE");
    expect(await lane.heartbeats()).toEqual([]);
  });

  test("serves only the lanes of its profiles, and of them only those that it is told", async () => {
    await using lane = await openTestLane(server);
    await using mine = await start(lane);
    await using others = new AsyncDisposableStack();
    for (const options of [
      { profiles: [{ ...lane.profile, baseUrl: "http://127.0.0.1:1/v1" }] },
      { profiles: [{ ...lane.profile, name: "another" }] },
      { lanes: ["gpt-image-2"] },
    ]) {
      others.use(await start(lane, options));
    }
    await using named = await start(lane, { lanes: ["gpt-image-2", "sim-1"] });
    const workers = (await lane.heartbeats()).map(({ worker }) => worker);
    expect(workers.toSorted()).toEqual([mine.id, named.id].toSorted());
  });

  test("serves no lane of a model that the provider's own service has shut down, and says so once", async () => {
    await using lane = await openTestLane(server);
    const own: Profile = { name: "openai", kind: "openai", apiKey: "k", keyVariable: "KEY" };
    const profile = profileIdentity(own);
    for (const model of ["dall-e-3", "gpt-image-2"]) {
      const card: LaneCard = { v: 1, profile, model };
      const name = laneName(profile, model);
      await lane.redis.hset(lanesKey(lane.prefix), name, JSON.stringify(card));
    }
    const errors: string[] = [];
    const log: Log = { ...silentLog, error: (_, message) => void errors.push(message) };
    await using worker = await start(lane, { profiles: [own], log });
    const workersOf = (model: string) =>
      lane.redis.smembers(laneKeys(lane.prefix, laneName(profile, model)).workers);
    expect(await workersOf("gpt-image-2")).toEqual([worker.id]);
    expect(await workersOf("dall-e-3")).toEqual([]);
    expect(errors).toEqual(["not served: openai shut it down on 2026-05-12"]);
  });

  test("counts its calls in flight, closes once, and leaves nothing of itself in Redis", async () => {
    await using lane = await openTestLane(server);
    const hold = new AnswerHold();
    await using worker = await start(lane, { createModel: watchedModels(hold) });
    for (const index of [0, 1, 2]) await lane.add(index);
    await until(() => expect(worker.callsInFlight()).toBe(2));
    const closings = [worker.close(20_000), worker.close(0)];
    hold.release();
    expect(await Promise.all(closings)).toEqual([0, 0]);
    expect(worker.callsInFlight()).toBe(0);
    expect(await lane.redis.exists(lane.keys.workers, lane.keys.heartbeat(worker.id))).toBe(0);
    const clients = String(await lane.redis.client("LIST"));
    expect(clients).not.toContain(worker.id);
  });

  test("waits for a call as long as the run's call timeout, where it is told no other time", async () => {
    await using lane = await openTestLane(server, { run: { timeoutMs: 1_500 } });
    const hold = new AnswerHold();
    await using worker = await start(lane, { createModel: watchedModels(hold) });
    const id = await lane.add(0);
    await until(() => expect(hold.held).toBe(1));
    const before = Date.now();
    expect(await worker.close()).toBe(1);
    expect(Date.now() - before).toBeGreaterThanOrEqual(1_450);
    // The call was sent: the job remembers it.
    await until(async () => {
      expect(await lane.queue.getJobState(id)).toBe("waiting");
      const { data } = (await lane.queue.getJob(id))!;
      expect(data).toMatchObject({ soFar: { attempts: [{ sent: true, burned: false }] } });
    });
  });

  test("closes in time though Redis is away, and says how many calls it gave up", async () => {
    await using own = await startTestRedis();
    await using lane = await openTestLane(own);
    const hold = new AnswerHold();
    const { prefix, profile } = lane;
    const redis = parseRedisTarget(own.url);
    const createModel = watchedModels(hold);
    const worker = await createWorker({
      redis,
      prefix,
      profiles: [profile],
      concurrency: 2,
      createModel,
    });
    for (const index of [0, 1]) await lane.add(index);
    await until(() => expect(hold.held).toBe(2));
    const idle = await createWorker({ redis, prefix, profiles: [profile], concurrency: 2 });
    await own.kill();
    const before = Date.now();
    expect(await Promise.all([worker.close(100), idle.close(100)])).toEqual([2, 0]);
    expect(Date.now() - before).toBeLessThan(10_000);
  });

  test("finds run directories under its storage root where the producer's path is not there", async () => {
    await using lane = await openTestLane(server);
    const root = `${lane.directory}-mounted`;
    await mkdir(root);
    try {
      await rename(lane.directory, join(root, basename(lane.directory)));
      await using worker = await start(lane, { storageRoot: root });
      await lane.add(0);
      expect(await lane.results(1)).toMatchObject([
        { attempts: [{ worker: worker.id }], state: "succeeded" },
      ]);
    } finally {
      await rm(root, { recursive: true });
    }
  });
});
