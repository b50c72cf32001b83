import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { steerRun } from "../../index.ts";
import { startTestRedis, type TestRedis } from "../helpers/redis.ts";
import { s3Options } from "../helpers/s3-server.ts";
import { openTestServer, testLocation } from "../helpers/s3-stores.ts";
import { testRun } from "../helpers/test-run.ts";
import { openLibraryStage, prompts } from "./library-stage.ts";
import { until } from "../helpers/until.ts";

let server: TestRedis;
beforeAll(async () => {
  server = await startTestRedis();
});
afterAll(() => server.close());

describe("steering from code", () => {
  test("a paused run starts no call until it is unpaused; then it goes on to its end", async () => {
    await using stage = await openLibraryStage(server);
    const run = await stage.open({ source: prompts(5) });
    await run.pause("lunch");
    await stage.work();
    await until(() => expect(run.progress()).toMatchObject({ workers: 1 }));
    await until(() => expect(run.progress().waiting).toContain("lunch"));
    expect(stage.simulator.ledger.calls).toBe(0);
    await run.unpause();
    expect(await run.finished).toMatchObject({ state: "completed", images: 5 });
    await expect(run.pause()).rejects.toThrow(/has ended/);
  });

  test("a cancelled run ends as cancelled, also when it is opened again", async () => {
    await using stage = await openLibraryStage(server);
    const run = await stage.open({ source: prompts(5) });
    await run.cancel("enough");
    await expect(run.pause()).rejects.toThrow(/is cancelled|has ended/);
    expect(await run.finished).toMatchObject({ state: "cancelled", reason: "enough" });
    const again = await stage.open();
    expect(await again.finished).toMatchObject({ state: "cancelled" });
    expect(stage.simulator.ledger.calls).toBe(0);
  });

  test("any process steers a run by its id, and learns whether a producer has it open", async () => {
    await using stage = await openLibraryStage(server);
    const known = Promise.withResolvers<void>();
    const onOpened = async () => known.resolve();
    const run = await stage.open({ source: prompts(3), onOpened });
    const { id, out } = run;
    await known.promise;
    const paused = await stage.steer({ run: id, state: "paused", reason: "lunch" });
    expect(paused).toEqual({ id, out, state: "paused", isLed: true });
    await until(() => expect(run.progress().waiting).toContain("lunch"));
    await stage.steer({ run: id, state: "cancelled", reason: "enough" });
    expect(await run.finished).toMatchObject({ state: "cancelled", reason: "enough" });
    const unknown = stage.steer({ run: "nosuchrun", state: "paused" });
    await expect(unknown).rejects.toThrow(/run nosuchrun is not under way/);
    const nowhere = steerRun({ run: id, state: "paused", redis: "redis://127.0.0.1:1" });
    await expect(nowhere).rejects.toThrow(/Redis at \S+:1\/0 does not answer: .*ECONNREFUSED/);
  });

  test("a run that nobody has open is steered in its directory; a finished one is not", async () => {
    await using stage = await openLibraryStage(server);
    const run = await stage.open({ source: prompts(3) });
    await run[Symbol.asyncDispose]();
    const { id, out } = run;
    expect(await steerRun({ out, state: "cancelled" })).toMatchObject({ id, isLed: false });
    await expect(steerRun({ out, state: "paused" })).rejects.toThrow(/is cancelled/);
    expect(await (await stage.open()).finished).toMatchObject({ state: "cancelled" });
    await steerRun({ out, state: "running" });
    await stage.work();
    expect(await (await stage.open()).finished).toMatchObject({ state: "completed", images: 3 });
    await expect(stage.steer({ out, state: "paused" })).rejects.toThrow(/nothing to pause/);
    await expect(steerRun({ out, state: "running" })).rejects.toThrow(/nothing to unpause/);
    await expect(steerRun({ out, run: "other", state: "paused" })).rejects.toThrow(/run other/);
  });

  test("disposing of a run stops it; opening it again goes on", async () => {
    await using stage = await openLibraryStage(server);
    const run = await stage.open({ source: prompts(3) });
    await run[Symbol.asyncDispose]();
    expect(await run.finished).toMatchObject({ state: "stopped" });
    await stage.work();
    expect(await (await stage.open()).finished).toMatchObject({ state: "completed", images: 3 });
  });

  test("a run in a bucket is steered over connections that end with it", async () => {
    const bucket = await openTestServer();
    const run = testRun();
    const { id } = run;
    bucket.bucket.set("runs/first/.imagemill/run.json", Buffer.from(JSON.stringify(run)));
    const asked = { out: testLocation, s3: s3Options(bucket) };
    for (const state of ["paused", "running"] as const)
      expect(await steerRun({ ...asked, state })).toMatchObject({ id, state, isLed: false });
    await until(async () => expect(await bucket.connections()).toBe(0));
  });
});
