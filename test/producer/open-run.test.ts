import { appendFileSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { folderPlace } from "../../producer/folder-place.ts";
import { steerOver } from "../../shared/steer-run.ts";
import { readSteering, writeSteering } from "../../shared/steering.ts";
import { UsageError } from "../../shared/usage-error.ts";
import { startTestRedis, type TestRedis } from "../helpers/redis.ts";
import { readJournalOf, readResults } from "../helpers/run-files.ts";
import { openTestMill } from "../helpers/test-mill.ts";
import { expectNothingInRedis, expectWhole } from "./whole-run.ts";
import { until } from "../helpers/until.ts";

let server: TestRedis;
beforeAll(async () => {
  server = await startTestRedis();
});
afterAll(() => server.close());

describe.concurrent("a run", () => {
  test("settles every prompt once and leaves nothing of itself in Redis", async () => {
    await using mill = await openTestMill(server, { prompts: 50 });
    await mill.work();
    const run = await mill.open({}, { numGenerations: 2 });
    const told: number[] = [];
    run.onSettled((lines) => told.push(...lines.map(({ index }) => index)));
    expectWhole(mill, await run.finished, 50, 2);
    expect(told.toSorted((a, b) => a - b)).toEqual(Array.from({ length: 50 }, (_, index) => index));
    expect(readJournalOf(mill.out)).toHaveLength(50);
    expect(mill.simulator.ledger.calls).toBe(100);
    await expectNothingInRedis(mill, run.id);
  });

  test("that is cancelled once its last prompt is settled is complete, and no cancel stays", async () => {
    await using mill = await openTestMill(server, { prompts: 3 });
    await mill.work();
    const run = await mill.open();
    run.onSettled(() => {
      if (run.progress().settled < 3) return;
      const steering = { v: 1, state: "cancelled", at: new Date().toISOString(), host: "here" };
      writeFileSync(join(mill.out, ".imagemill", "steering.json"), JSON.stringify(steering));
      run.stop({ state: "cancelled", text: "too late" });
    });
    const summary = await run.finished;
    expect(summary).toMatchObject({ state: "completed", images: 3 });
    expect(summary.reason).toBeUndefined();
    expect(await readSteering(mill.out)).toBeUndefined();
  });

  test("that is cancelled while its output files are written is complete, and no cancel stays", async () => {
    await using mill = await openTestMill(server, { prompts: 3 });
    await mill.work();
    const { out } = mill;
    const place = folderPlace(out);
    const publish = async () => {
      await steerOver(undefined, { out, state: "cancelled" });
      await place.publish();
    };
    const run = await mill.open({ place: { ...place, publish } });
    expect(await run.finished).toMatchObject({ state: "completed", images: 3 });
    expect(await readSteering(out)).toBeUndefined();
    // Where the process was killed before it could drop it, the next one does.
    await writeSteering(out, "cancelled");
    expect(await (await mill.open()).finished).toMatchObject({ state: "completed" });
    expect(await readSteering(out)).toBeUndefined();
    const more = await (await mill.open({}, { numGenerations: 2 })).finished;
    expect(more).toMatchObject({ state: "completed", images: 6 });
  });

  test("knows of a worker that was started with it before the first prompt is settled", async () => {
    await using mill = await openTestMill(server, { prompts: 1 });
    const run = await mill.open({ onOpened: async () => void (await mill.work()) });
    const workers: (number | undefined)[] = [];
    run.onSettled(() => workers.push(run.progress().workers));
    await run.finished;
    expect(workers).toEqual([1]);
  });

  test("leaves nothing in Redis where what it calls once it is open throws", async () => {
    await using mill = await openTestMill(server, { prompts: 3 });
    const run = await mill.open({
      onOpened: () => Promise.reject(new Error("no worker can be started")),
    });
    await expect(run.finished).rejects.toThrow("no worker can be started");
    await expectNothingInRedis(mill, run.id);
    await mill.work();
    expectWhole(mill, await (await mill.open()).finished, 3);
  });

  test("that is complete asks for no Redis, makes no call and touches no file", async () => {
    await using mill = await openTestMill(server, { prompts: 3 });
    await mill.work();
    const first = await (await mill.open()).finished;
    const { mtimeMs } = statSync(join(mill.out, "metadata.parquet"));
    const again = await mill.open({
      queue: () => Promise.reject(new Error("Redis was asked for")),
    });
    expect([again.resumed, again.isComplete]).toEqual([true, true]);
    expect(await again.finished).toEqual(first);
    expect(statSync(join(mill.out, "metadata.parquet")).mtimeMs).toBe(mtimeMs);
    expect(mill.simulator.ledger.calls).toBe(3);
  });

  test("asked for more images keeps those that it has", async () => {
    await using mill = await openTestMill(server, { prompts: 4 });
    await mill.work();
    await (
      await mill.open()
    ).finished;
    const before = readResults(mill.out).map(({ images }) => images[0]);
    const summary = await (await mill.open({}, { numGenerations: 3 })).finished;
    expectWhole(mill, summary, 4, 3);
    expect(readResults(mill.out).map(({ images }) => images[0])).toEqual(before);
    expect(mill.simulator.ledger.images).toBe(12);
    expect(summary.calls).toBe(12);
    expect(summary.costUsd).toBeCloseTo(0.48);
  });

  test("goes on with appended rows, and refuses rows that were changed or removed", async () => {
    await using mill = await openTestMill(server, { prompts: 3 });
    await mill.work();
    await (
      await mill.open()
    ).finished;
    mill.dataset(5);
    expectWhole(mill, await (await mill.open()).finished, 5);
    expect(mill.simulator.ledger.calls).toBe(5);
    mill.dataset(4);
    await expect(mill.open()).rejects.toThrow(UsageError);
    await expect(mill.open()).rejects.toThrow("has 4 rows, but this run has read 5");
    const { path } = mill.settings().source;
    mill.dataset(5);
    appendFileSync(path, "");
    const changed = readFileSync(path, "utf8").replace("prompt 2 of", "another 2 of");
    mill.dataset(0);
    appendFileSync(path, changed);
    await expect(mill.open()).rejects.toThrow(`row 3 of ${path} has changed`);
  });

  test("settles failures again in a new round, of the kinds that are asked for", async () => {
    await using mill = await openTestMill(server, {
      prompts: 4,
      simulator: {
        promptFaults: [
          { match: "prompt 1 ", fault: "error500" },
          { match: "prompt 2 ", fault: "notJson" },
        ],
      },
    });
    await mill.work();
    const first = await (await mill.open({}, { attempts: 1 })).finished;
    expect(first).toMatchObject({
      state: "completed_with_failures",
      prompts: { succeeded: 2, failed: 2 },
    });
    mill.simulator.settings.promptFaults = [];
    const { calls } = mill.simulator.ledger;
    const second = await (
      await mill.open({ retry: { kinds: ["unavailable"] } }, { attempts: 1 })
    ).finished;
    expect(second).toMatchObject({
      state: "completed_with_failures",
      prompts: { succeeded: 3, failed: 1 },
    });
    expect(mill.simulator.ledger.calls).toBe(calls + 1);
    const third = await mill.open({ retry: { kinds: null } }, { attempts: 1 });
    expectWhole(mill, await third.finished, 4);
    expect(third.progress().totals.failures).toEqual({});
    expect(mill.simulator.ledger.calls).toBe(calls + 2);
  });

  test("that is stopped settles what is in flight, and goes on where it was", async () => {
    await using mill = await openTestMill(server, { prompts: 30, simulator: { latencyMs: 30 } });
    await mill.work({ concurrency: 3 });
    const run = await mill.open();
    await until(() => expect(run.progress().settled).toBeGreaterThan(5));
    run.stop({ state: "stopped", text: "enough" });
    const stopped = await run.finished;
    expect(stopped).toMatchObject({ state: "stopped", reason: "enough" });
    expect(stopped.prompts.succeeded).toBeLessThan(30);
    expect(stopped.calls).toBe(mill.simulator.ledger.calls);
    expectWhole(mill, await (await mill.open()).finished, 30);
    expect(mill.simulator.ledger.images).toBe(30);
  });

  test("stops where the money is gone, and goes on when it is back", async () => {
    await using mill = await openTestMill(server, {
      prompts: 10,
      simulator: { quotaAfterImages: 4 },
    });
    await mill.work({ concurrency: 2 });
    const stopped = await (await mill.open()).finished;
    expect(stopped).toMatchObject({ state: "stopped", prompts: { succeeded: 4, failed: 0 } });
    expect(stopped.reason).toMatch(/^quota: .*run the same command again/);
    mill.simulator.settings.quotaAfterImages = null;
    expectWhole(mill, await (await mill.open()).finished, 10);
    expect(mill.simulator.ledger.images).toBe(10);
  });

  test("refuses a directory that another run has open, or that holds something else", async () => {
    await using mill = await openTestMill(server, { prompts: 2 });
    const run = await mill.open();
    await expect(mill.open()).rejects.toThrow(`in use by process ${process.pid}`);
    await mill.work();
    await run.finished;
    await expect(mill.open({}, { model: "dall-e-3" })).rejects.toThrow(
      "model was imagemill-sim-1, now dall-e-3",
    );
    await expect(mill.open({ out: join(mill.out, "images") })).rejects.toThrow(
      "not empty and no run directory",
    );
  });
});

describe.concurrent("Redis", () => {
  const prompts = 40;
  const latencyMs = 100;

  test("emptied in mid-run loses nothing and buys nothing twice", async () => {
    await using own = await startTestRedis();
    await using mill = await openTestMill(own, { prompts, simulator: { latencyMs } });
    await mill.work();
    const run = await mill.open();
    await until(() => expect(run.progress().settled).toBeGreaterThan(10));
    await mill.redis.flushall();
    expectWhole(mill, await run.finished, prompts);
    expect(readJournalOf(mill.out)).toHaveLength(prompts);
    expect(mill.simulator.ledger.images).toBe(prompts);
    await expectNothingInRedis(mill, run.id);
  });

  test("killed in mid-run and started again with its append-only file goes on", async () => {
    await using own = await startTestRedis({
      arguments: ["--appendonly", "yes", "--appendfsync", "always"],
    });
    await using mill = await openTestMill(own, { prompts, simulator: { latencyMs } });
    await mill.work();
    const run = await mill.open();
    await until(() => expect(run.progress().settled).toBeGreaterThan(10));
    await own.kill();
    await own.start();
    expectWhole(mill, await run.finished, prompts);
    expect(mill.simulator.ledger.images).toBe(prompts);
    await expectNothingInRedis(mill, run.id);
  });

  test("killed in mid-run and started again empty loses nothing, sub-jobs included", async () => {
    await using own = await startTestRedis();
    await using mill = await openTestMill(own, { prompts, simulator: { latencyMs } });
    await mill.work();
    const run = await mill.open({}, { numGenerations: 2 });
    await until(() => expect(run.progress().settled).toBeGreaterThan(10));
    await own.kill();
    await own.start();
    expectWhole(mill, await run.finished, prompts, 2);
    expect(mill.simulator.ledger.images).toBe(prompts * 2);
  });

  test("away for longer than the run waits stops it with the reason; it goes on later", async () => {
    await using own = await startTestRedis();
    await using mill = await openTestMill(own, { prompts, simulator: { latencyMs } });
    const run = await mill.open({ giveUpAfterMs: 1_000, graceMs: 500 });
    const worker = await mill.work();
    await until(() => expect(run.progress().settled).toBeGreaterThan(5));
    await own.kill();
    const stopped = await run.finished;
    expect(stopped).toMatchObject({ state: "stopped", prompts: { failed: 0 } });
    expect(stopped.reason).toMatch(/^queue: .*run the same command again/);
    await own.start();
    expectWhole(mill, await (await mill.open()).finished, prompts);
    expect(mill.simulator.ledger.images).toBe(prompts);
    expect(worker.callsInFlight()).toBe(0);
  });
});
