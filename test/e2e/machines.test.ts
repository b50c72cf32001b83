import { Redis } from "ioredis";
import { describe, expect, test } from "vitest";
import { startTestRedis, type TestRedis } from "../helpers/redis.ts";
import { readResults } from "../helpers/run-files.ts";
import { openStage, promptRows, type Stage } from "../helpers/stage.ts";
import { until } from "../helpers/until.ts";

const count = 40;

/** A stage whose commands share one Redis. */
async function sharedStage(server: TestRedis, latencyMs: number): Promise<Stage> {
  const stage = await openStage({ latencyMs });
  stage.env["REDIS_URL"] = server.url;
  return stage;
}

function enqueue(stage: Stage, prompts = count) {
  const dataset = stage.dataset(promptRows(prompts));
  return stage.startCli(
    "enqueue",
    dataset,
    "-m",
    "dall-e-3",
    "-n",
    "2",
    "--out",
    stage.out,
    "--json",
  );
}

function work(stage: Stage) {
  return stage.startCli("work", "-c", "4");
}

/** BullMQ's jobs that are left in this Redis. */
async function jobsLeft(server: TestRedis, run: string): Promise<string[]> {
  const redis = new Redis(server.url);
  const keys = await redis.keys(`*${run}*`);
  redis.disconnect();
  return keys;
}

describe.concurrent("a producer and workers apart", () => {
  test("finish a run though a worker is killed with -9; status names who works", async () => {
    await using server = await startTestRedis({ tcp: true });
    await using stage = await sharedStage(server, 100);
    const producer = enqueue(stage);
    await until(() => expect(producer.stderr).toContain("starts"));
    const alone = await stage.cli("status", "--json");
    expect(alone.json).toMatchObject([{ workers: [], runs: [{ state: "running" }] }]);
    const doomed = work(stage);
    await stage.settled(3);
    const inFlight = stage.simulator.ledger.inFlight;
    doomed.kill("SIGKILL");
    work(stage);
    const end = await producer.ended;
    expect(end.code).toBe(0);
    expect(end.summary).toMatchObject({ state: "completed", images: count * 2 });
    expect(readResults(stage.out).map(({ index }) => index)).toEqual([...Array(count).keys()]);
    expect(stage.simulator.ledger.calls).toBeLessThanOrEqual(count * 2 + Math.max(4, inFlight));
  });

  test("start no call while the run is paused, go on after, and end at cancel with exit code 5", async () => {
    await using server = await startTestRedis({ tcp: true });
    await using stage = await sharedStage(server, 60);
    // Far more than is done before the cancel, however slow the commands are.
    const producer = enqueue(stage, 2_000);
    work(stage);
    await stage.settled(2);
    expect((await stage.cli("pause", stage.out)).code).toBe(0);
    const status = () => stage.cli("status", stage.out, "--json");
    // Jobs of a paused run go back to the queue: when none is in work, no call can start any more.
    const atRest = [{ runs: [{ state: "paused" }], jobs: { active: 0 } }];
    await until(async () => expect((await status()).json).toMatchObject(atRest));
    const paused = stage.simulator.ledger.calls;
    expect((await status()).json).toMatchObject([{ runs: [{ state: "paused" }] }]);
    expect(stage.simulator.ledger.calls).toBe(paused);
    expect((await stage.cli("unpause", stage.out)).code).toBe(0);
    await until(() => expect(stage.simulator.ledger.calls).toBeGreaterThan(paused));
    expect((await stage.cli("cancel", stage.out, "--reason", "no more")).code).toBe(0);
    const end = await producer.ended;
    expect(end.code).toBe(5);
    expect(end.summary).toMatchObject({ state: "cancelled", reason: "no more" });
    await until(async () => expect(await jobsLeft(server, end.summary.run)).toEqual([]));
  });
});
