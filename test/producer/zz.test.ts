import { appendFileSync, existsSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { RunSummary } from "../../shared/run-file.ts";
import { UsageError } from "../../shared/usage-error.ts";
import { startProducer } from "../helpers/producer-process.ts";
import { startTestRedis, type TestRedis } from "../helpers/redis.ts";
import { readJournalOf, readResults } from "../helpers/run-files.ts";
import { until } from "../helpers/test-lane.ts";
import { openTestMill, type TestMill } from "../helpers/test-mill.ts";
import { AnswerHold, watchedModels } from "../helpers/watched-model.ts";

let server: TestRedis;
beforeAll(async () => {
  server = await startTestRedis();
});
afterAll(() => server.close());

/** Checks that a run is whole: every prompt settled once, and its images in storage. */
function expectWhole(mill: TestMill, summary: RunSummary, prompts: number, images = 1): void {
  expect(summary).toMatchObject({
    state: "completed",
    prompts: { total: prompts, succeeded: prompts, partial: 0, failed: 0, rejected: 0 },
    images: prompts * images,
  });
  const results = readResults(mill.out);
  expect(results.map(({ index }) => index)).toEqual(Array.from({ length: prompts }, (_, index) => index));
  for (const { images: files } of results) {
    expect(files).toHaveLength(images);
    for (const file of files) expect(existsSync(join(mill.out, file!))).toBe(true);
  }
}

async function expectNothingInRedis({ redis, prefix, keys }: TestMill, run: string): Promise<void> {
  await until(async () => expect((await redis.keys(`${prefix}:*`)).filter((key) => key.includes(run))).toEqual([]));
  expect(await redis.hlen(keys.runs)).toBe(0);
}

  test("away for longer than the run waits stops it with the reason; it goes on later", async () => {
    await using own = await startTestRedis();
    await using mill = await openTestMill(own, { prompts: 40, simulator: { latencyMs: 100 } });
    const t0 = Date.now(); const say = (...x: unknown[]) => process.stderr.write(`${Date.now()-t0} ${JSON.stringify(x)}\n`);
    const log = { debug() {}, info: (f: object, t: string) => say("info", t), warn: (f: object, t: string) => say("warn", t, f), error: (f: object, t: string) => say("error", t) };
    const run = await mill.open({ log, giveUpAfterMs: 1_000, graceMs: 500 });
    const worker = await mill.work({ log });
    await until(() => expect(run.progress().settled).toBeGreaterThan(5));
    say("kill"); await own.kill(); say("killed"); const h = setInterval(() => say(run.progress(), process.getActiveResourcesInfo().join()), 5000);
    const stopped = await run.finished;
    expect(stopped).toMatchObject({ state: "stopped", prompts: { failed: 0 } });
    expect(stopped.reason).toMatch(/^queue: .*run the same command again/);
    say("stopped"); await own.start(); say("started");
    expectWhole(mill, await (await mill.open({ log })).finished, 40);
    expect(mill.simulator.ledger.images).toBe(40);
    expect(worker.callsInFlight()).toBe(0); clearInterval(h); say("test end"); await worker.close(0); say("worker closed"); await run.finished;
  });
