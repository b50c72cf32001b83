import { Worker } from "bullmq";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { isWholeImage } from "../../shared/image-check.ts";
import { type CallJob, jobId, jobNames, jobOptions } from "../../shared/job.ts";
import { localStorage } from "../../shared/local-storage.ts";
import { connectRedis } from "../../shared/redis.ts";
import { parseRedisTarget } from "../../shared/redis-target.ts";
import type { PromptResult } from "../../shared/result.ts";
import { imagePath } from "../../shared/storage.ts";
import { imageSeed } from "../../worker/seeds.ts";
import { sampleImages } from "../../testing/sample-images.ts";
import { startTestRedis, type TestRedis } from "../helpers/redis.ts";
import { openTestLane, type TestLane } from "../helpers/test-lane.ts";
import { until } from "../helpers/until.ts";
import { AnswerHold, watchedModels } from "../helpers/watched-model.ts";

const anImage = sampleImages(2)[1]!;

let server: TestRedis;
beforeAll(async () => {
  server = await startTestRedis();
});
afterAll(() => server.close());

/** Adds the sub-job of one generation to a prompt job that is in the queue. */
async function addChild(lane: TestLane, id: string, generation: number, mayExist?: true) {
  const { run, round, index, prompt } = (await lane.queue.getJob(id))!.data;
  const child: CallJob = {
    v: 1,
    run,
    round,
    index,
    prompt,
    generations: [generation],
    ...(mayExist && { mayExist }),
  };
  await lane.queue.add(jobNames.call, child, {
    ...jobOptions(jobId(run, round, index, generation)),
    parent: { id, queue: `${lane.keys.queuePrefix}:${lane.lane}` },
  });
}

/** A worker takes the next job, and gives it back after `meanwhile`. */
async function handBackNext(lane: TestLane, meanwhile: () => Promise<void>): Promise<void> {
  const connection = connectRedis(parseRedisTarget(server.url), { role: "worker" });
  const worker = new Worker(lane.lane, null, { connection, prefix: lane.keys.queuePrefix });
  const job = await worker.getNextJob("token");
  await meanwhile();
  await job.moveToWait("token");
  await worker.close();
  connection.disconnect();
}

/** Goes on with the lane's queue until its prompt job waits for the one call in flight, then to its result. */
async function resultOfWaiting(lane: TestLane, id: string): Promise<PromptResult> {
  const hold = new AnswerHold();
  await lane.serve({ createModel: watchedModels(hold) });
  await lane.queue.resume();
  await until(async () => {
    expect(hold.held).toBe(1);
    expect(await lane.queue.getJobState(id)).toBe("waiting-children");
  });
  hold.release();
  const [result] = await lane.results(1);
  await until(async () => expect(await lane.jobKeys()).toEqual([]));
  return result!;
}

describe.concurrent("a prompt that may have been tried before", () => {
  test("does not buy what is stored: only what is missing is asked for", async () => {
    await using lane = await openTestLane(server, { run: { numGenerations: 3 } });
    const storage = localStorage(lane.directory);
    await storage.put(`${imagePath(0, 1)}.png`, anImage, isWholeImage);
    await storage.put(`${imagePath(0, 2)}.png`, anImage.subarray(0, 100), isWholeImage);
    await lane.serve();
    await lane.add(0, { mayExist: true });
    const [result] = await lane.results(1);
    expect(result!.state).toBe("succeeded");
    expect(result!.images.map(({ recovered }) => recovered)).toEqual([undefined, true, undefined]);
    expect(result!.images[1]).toMatchObject({ bytes: anImage.length, costUsd: 0.04 });
    const seeds = Array.from(lane.simulator.ledger.records(), ({ seed }) => seed);
    expect(seeds).toHaveLength(2);
    expect(new Set(seeds)).toEqual(new Set([imageSeed(42, 0, 0), imageSeed(42, 0, 2)]));
  });

  test("makes no call at all where everything is stored", async () => {
    await using lane = await openTestLane(server, { run: { numGenerations: 2 } });
    const storage = localStorage(lane.directory);
    for (const n of [0, 1]) await storage.put(`${imagePath(0, n)}.png`, anImage, isWholeImage);
    await lane.serve();
    await lane.add(0, { mayExist: true });
    expect(await lane.results(1)).toMatchObject([{ state: "succeeded", attempts: [] }]);
    expect(lane.simulator.ledger.calls).toBe(0);
  });

  test("whose images are all there waits for a sub-job that a dead worker left, and completes at the first try", async () => {
    await using lane = await openTestLane(server, { run: { numGenerations: 2 } });
    const storage = localStorage(lane.directory);
    for (const n of [0, 1]) await storage.put(`${imagePath(0, n)}.png`, anImage, isWholeImage);
    await lane.queue.pause();
    const id = await lane.add(0, { mayExist: true });
    await addChild(lane, id, 0, true);
    await lane.serve({ concurrency: 1 });
    await lane.queue.resume();
    expect(await lane.results(1)).toMatchObject([{ state: "succeeded", attempts: [] }]);
    await until(async () => expect(await lane.jobKeys()).toEqual([]));
    expect(await lane.results(1)).toHaveLength(1);
  });

  test("leaves the only image that is missing to the sub-job that is still in the queue", async () => {
    await using lane = await openTestLane(server, { run: { numGenerations: 2 } });
    const storage = localStorage(lane.directory);
    await storage.put(`${imagePath(0, 0)}.png`, anImage, isWholeImage);
    await lane.queue.pause();
    const id = await lane.add(0, { mayExist: true });
    await addChild(lane, id, 1, true);
    expect(await resultOfWaiting(lane, id)).toMatchObject({ state: "succeeded" });
    expect(lane.simulator.ledger.calls).toBe(1);
  });

  test("leaves what is missing to the sub-job of a try that a full Redis cut short before it waited", async () => {
    await using lane = await openTestLane(server, { run: { numGenerations: 2 } });
    const storage = localStorage(lane.directory);
    await storage.put(`${imagePath(0, 0)}.png`, anImage, isWholeImage);
    const id = await lane.add(0);
    await handBackNext(lane, async () => {
      await lane.queue.pause();
      await addChild(lane, id, 1);
    });
    expect(await resultOfWaiting(lane, id)).toMatchObject({ state: "succeeded" });
    expect(lane.simulator.ledger.calls).toBe(1);
  });

  test("keeps the images of an earlier round without counting their cost again", async () => {
    await using lane = await openTestLane(server, { run: { numGenerations: 2 } });
    await lane.serve();
    await lane.add(0, { numGenerations: 1 });
    const [first] = await lane.results(1);
    await until(async () => expect(await lane.jobKeys()).toEqual([]));
    await lane.add(0, { have: first!.images });
    const [, second] = await lane.results(2);
    expect(second).toMatchObject({ state: "succeeded", costUsd: 0.04 });
    expect(second!.images[0]).toEqual(first!.images[0]);
    expect(lane.simulator.ledger.images).toBe(2);
  });
});
