import { readdir, rm, writeFile } from "node:fs/promises";
import { hostname } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { unpauseLane } from "../../shared/lane-state.ts";
import { silentLog, type Log } from "../../shared/log.ts";
import { isFailed } from "../helpers/is-failed.ts";
import { startTestRedis, type TestRedis } from "../helpers/redis.ts";
import { openTestLane, type TestLane } from "../helpers/test-lane.ts";
import { until } from "../helpers/until.ts";

let server: TestRedis;
beforeAll(async () => {
  server = await startTestRedis();
});
afterAll(() => server.close());

async function pauseOf({ redis, keys }: TestLane): Promise<Record<string, string>> {
  return await redis.hgetall(keys.pause);
}

describe.concurrent("a key that the provider refuses", () => {
  test("makes its worker leave; the others go on, and no attempt is lost", async () => {
    await using lane = await openTestLane(server, {
      run: { attempts: 1 },
      simulator: { apiKey: "right" },
    });
    const wrong = await lane.serve({ profile: { ...lane.profile, apiKey: "wrong" } });
    await lane.add(0);
    await until(async () => expect(await pauseOf(lane)).toMatchObject({ kind: "auth" }));
    expect(await lane.heartbeats()).toMatchObject([{ worker: wrong.worker, fit: false }]);
    await unpauseLane(lane.redis, lane.keys);
    const refusals = lane.simulator.ledger.calls;
    await lane.serve({ profile: { ...lane.profile, apiKey: "right" } });
    for (const index of [1, 2, 3]) await lane.add(index);
    const results = await lane.results(4);
    expect(results.map(({ state }) => state)).toEqual(Array(4).fill("succeeded"));
    expect(results[0]!.attempts.map(({ outcome, burned }) => [outcome, burned])).toContainEqual([
      "auth",
      false,
    ]);
    expect(lane.simulator.ledger.calls).toBe(refusals + 4);
    expect(await pauseOf(lane)).toEqual({});
  });

  test("does not pause the lane while another worker is fit, and pauses it when none is", async () => {
    await using lane = await openTestLane(server, { simulator: { apiKey: "right" } });
    const fit = await lane.serve({ profile: { ...lane.profile, apiKey: "right" }, concurrency: 1 });
    const wrong = await lane.serve({ profile: { ...lane.profile, apiKey: "wrong" } });
    // The fit worker takes one prompt at a time: the wrong one is bound to get some.
    for (let index = 0; index < 6; index++) await lane.add(index);
    await lane.results(6);
    await until(() => expect(wrong.fit).toBe(false));
    expect(await pauseOf(lane)).toEqual({});
    lane.simulator.settings.apiKey = "changed";
    await lane.add(6);
    await until(async () => expect(await pauseOf(lane)).toMatchObject({ kind: "auth" }));
    expect(fit.fit).toBe(false);
    expect((await pauseOf(lane))["reason"]).not.toContain("right");
    await until(async () => expect(await lane.queue.getWaitingCount()).toBe(1));
  });

  test("is known before the first call where there is none at all", async () => {
    await using lane = await openTestLane(server);
    const { baseUrl: _, ...publicProfile } = lane.profile;
    const service = await lane.serve({ profile: publicProfile });
    await lane.add(0);
    await until(async () => expect(await pauseOf(lane)).toMatchObject({ kind: "auth" }));
    expect(service.fit).toBe(false);
    await until(async () => expect(await lane.queue.getWaitingCount()).toBe(1));
  });

  test("that was changed meanwhile is read again: the worker stays and no attempt is lost", async () => {
    await using lane = await openTestLane(server, {
      run: { attempts: 1 },
      simulator: { apiKey: "new" },
    });
    const profile = { ...lane.profile, apiKey: "old", readKey: () => "new" };
    const service = await lane.serve({ profile });
    for (const index of [0, 1, 2]) await lane.add(index);
    const results = await lane.results(3);
    expect(results.map(({ state }) => state)).toEqual(["succeeded", "succeeded", "succeeded"]);
    expect(service.fit).toBe(true);
    expect(await pauseOf(lane)).toEqual({});
    const outcomes = results.flatMap(({ attempts }) => attempts).map(({ outcome }) => outcome);
    expect(outcomes).toContain("auth");
  });

  test("brings the worker back by itself once its source holds another one", async () => {
    await using lane = await openTestLane(server, { simulator: { apiKey: "new" } });
    let key = "old";
    const service = await lane.serve({
      profile: { ...lane.profile, apiKey: "old", readKey: () => key },
    });
    await lane.add(0);
    await until(async () => expect(await pauseOf(lane)).toMatchObject({ kind: "auth" }));
    await until(() => expect(service.fit).toBe(false));
    const refusals = lane.simulator.ledger.calls;
    key = "new";
    expect(await lane.results(1)).toMatchObject([{ state: "succeeded" }]);
    expect(service.fit).toBe(true);
    expect(await pauseOf(lane)).toEqual({});
    expect(lane.simulator.ledger.calls).toBe(refusals + 1);
  });
});

describe.concurrent("money that is gone", () => {
  test("pauses the lane; after it was unpaused everything goes on with no attempt burned", async () => {
    await using lane = await openTestLane(server, {
      run: { attempts: 1 },
      simulator: { quotaAfterImages: 2 },
    });
    await lane.serve({ concurrency: 1 });
    for (let index = 0; index < 4; index++) await lane.add(index);
    await until(async () => expect(await pauseOf(lane)).toMatchObject({ kind: "quota" }));
    await until(async () => expect(await lane.queue.getWaitingCount()).toBe(2));
    expect(lane.simulator.ledger.images).toBe(2);
    const { calls } = lane.simulator.ledger;
    lane.simulator.settings.quotaAfterImages = null;
    await unpauseLane(lane.redis, lane.keys);
    const results = await lane.results(4);
    expect(results.every(({ state }) => state === "succeeded")).toBe(true);
    expect(lane.simulator.ledger.calls).toBe(calls + 2);
    expect(
      results.flatMap(({ attempts }) => attempts).filter(({ outcome }) => outcome === "quota"),
    ).toMatchObject([{ burned: false, status: 429 }]);
  });
});

describe.concurrent("a provider that is not there", () => {
  test("burns no attempt, however long it is away, and is asked by one call at a time", async () => {
    await using lane = await openTestLane(server, { run: { attempts: 1 } });
    lane.simulator.settings.faults = { resetConnection: 1 };
    const service = await lane.serve({ concurrency: 8 });
    for (let index = 0; index < 8; index++) await lane.add(index);
    await until(() => expect(service.gate.waitingFor).toBe("provider away"));
    const { calls } = lane.simulator.ledger;
    expect(calls).toBeLessThanOrEqual(9);
    await until(() => expect(lane.simulator.ledger.calls).toBe(calls + 2));
    lane.simulator.settings.faults = {};
    const results = await lane.results(8);
    expect(results.every(({ state }) => state === "succeeded")).toBe(true);
    const attempts = results.flatMap((result) => result.attempts);
    expect(
      attempts
        .filter(isFailed)
        .every(({ outcome, burned }) => outcome === "unavailable" && !burned),
    ).toBe(true);
  });
});

describe.concurrent("a job that this worker cannot do", () => {
  test("because a newer producer made it is handed back untouched", async () => {
    await using lane = await openTestLane(server);
    await lane.serve();
    const job = { v: 2, something: "new", run: lane.run.id };
    await lane.queue.add("prompt", job, { jobId: "newer", attempts: 5 });
    await until(async () =>
      expect((await lane.queue.getJob("newer"))!.attemptsStarted).toBeGreaterThan(1),
    );
    const after = (await lane.queue.getJob("newer"))!;
    expect(after.data).toEqual(job);
    expect([after.attemptsMade, after.failedReason ?? null]).toEqual([0, null]);
    expect(lane.simulator.ledger.calls).toBe(0);
  });

  test("because its run directory is elsewhere is handed back, and both hosts are named once", async () => {
    await using lane = await openTestLane(server);
    await lane.register({ location: "/nowhere/run", host: "producer.example" });
    const lines: string[] = [];
    const log: Log = {
      ...silentLog,
      warn: (_, text) => lines.push(text),
      error: (_, text) => lines.push(text),
    };
    await lane.serve({ log });
    const ids = [await lane.add(0), await lane.add(1)];
    // Back at once, for a worker that can.
    for (const id of ids)
      await until(async () => {
        expect((await lane.queue.getJob(id))!.attemptsStarted).toBeGreaterThan(0);
        expect(await lane.queue.getJobState(id)).toBe("waiting");
      });
    const told = lines.filter((line) => line.includes("/nowhere/run"));
    expect(told).toHaveLength(1);
    expect(told[0]).toContain("producer.example");
    expect(told[0]).toContain(hostname());
    expect((await lane.queue.getJob(ids[0]!))!.attemptsMade).toBe(0);
    expect(lane.simulator.ledger.calls).toBe(0);
    await lane.register();
    expect(await lane.results(2)).toMatchObject([{ state: "succeeded" }, { state: "succeeded" }]);
  });

  test("because its run is not registered ends without a call: a producer that comes back adds it again", async () => {
    await using lane = await openTestLane(server);
    await lane.redis.hdel(lane.keys.runs, lane.run.id);
    await lane.serve();
    await lane.add(0);
    await until(async () => expect(await lane.jobKeys()).toEqual([]));
    expect(await lane.redis.xlen(lane.keys.results(lane.run.id))).toBe(0);
    expect(lane.simulator.ledger.calls).toBe(0);
    await lane.register();
    await lane.add(0);
    expect(await lane.results(1)).toMatchObject([{ state: "succeeded" }]);
  });

  test.for([
    ["its round is over", { round: 1 }],
    ["its run was cancelled", { state: "cancelled" }],
  ] as const)("because %s ends without a call and without a result", async ([, registration]) => {
    await using lane = await openTestLane(server);
    await lane.register(registration);
    await lane.serve();
    await lane.add(0);
    await until(async () => expect(await lane.jobKeys()).toEqual([]));
    expect(await lane.redis.xlen(lane.keys.results(lane.run.id))).toBe(0);
    expect(lane.simulator.ledger.calls).toBe(0);
  });

  test("because its run is paused is kept and done afterwards", async () => {
    await using lane = await openTestLane(server, { run: { attempts: 1 } });
    await lane.register({ state: "paused" });
    await lane.serve();
    const id = await lane.add(0);
    await until(async () => expect(await lane.queue.getJobState(id)).toBe("delayed"));
    expect(lane.simulator.ledger.calls).toBe(0);
    await lane.register();
    expect(await lane.results(1)).toMatchObject([{ state: "succeeded" }]);
  });
});

describe.concurrent("storage in trouble", () => {
  test("keeps the paid image, starts no call of the run, says so, and goes on once it is mended", async () => {
    await using lane = await openTestLane(server);
    const images = join(lane.directory, "images");
    await writeFile(images, "");
    const service = await lane.serve({ concurrency: 1 });
    await lane.add(0);
    await until(() => expect(service.gate.waitingFor).toMatch(/^storage: .*00000000-0\.png/));
    await until(async () => expect((await lane.heartbeats())[0]?.waiting).toMatch(/^storage: /));
    const other = await lane.serve({ concurrency: 1 });
    await lane.add(1);
    await until(() => expect(other.gate.waitingFor).toMatch(/^storage: /));
    await lane.add(2);
    await lane.add(3);
    expect(lane.simulator.ledger.calls).toBe(2);
    await rm(images);
    const results = await lane.results(4);
    expect(
      results.every(({ state, attempts }) => state === "succeeded" && attempts.length === 1),
    ).toBe(true);
    expect(lane.simulator.ledger.calls).toBe(4);
    expect(await readdir(join(lane.directory, ".imagemill", "tmp"))).toEqual([]);
    expect(service.gate.waitingFor).toBeUndefined();
  });
});
