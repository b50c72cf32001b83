import { Worker, type Queue } from "bullmq";
import { afterEach, beforeEach, expect, test } from "vitest";
import { deathsInQueue } from "../../producer/deaths-in-queue.ts";
import { JOB_VERSION, jobId, jobNames, jobOptions, type PromptJob } from "../../shared/job.ts";
import { laneKeys } from "../../shared/keys.ts";
import { openLaneQueue } from "../../shared/lane-queue.ts";
import type { RedisClient } from "../../shared/redis.ts";
import { connectedRedis } from "../helpers/connected-redis.ts";
import { uniquePrefix } from "../helpers/redis.ts";

const run = "abcdefghijkl";
let redis: RedisClient;
connectedRedis("worker", (client) => (redis = client));

let queue: Queue;
let worker: Worker;
beforeEach(() => {
  const keys = laneKeys(uniquePrefix(), "{lane}");
  queue = openLaneQueue("{lane}", keys, redis);
  worker = new Worker("{lane}", null, { connection: redis, prefix: keys.queuePrefix });
});
afterEach(async () => {
  await worker.close();
  await queue.close();
});

async function add(index: number, more: Partial<PromptJob> = {}): Promise<void> {
  const data = { v: JOB_VERSION, run, round: 0, index, prompt: "a cat", numGenerations: 1 };
  await queue.add(jobNames.prompt, { ...data, ...more }, jobOptions(jobId(run, 0, index)));
}

test("a job in hand has died once more, one that waits keeps what it knew, others have nothing", async () => {
  await add(0, { deaths: { inCompany: 1, alone: 0 } });
  await worker.getNextJob("token");
  await add(1, { deaths: { inCompany: 2, alone: 1 }, innocentStalls: 1 });
  const putOff = await worker.getNextJob("token");
  await putOff.moveToDelayed(Date.now() + 60_000, "token");
  await add(2);
  await add(3, { run: "bbbbbbbbbbbb", deaths: { inCompany: 5, alone: 0 } });
  expect(await deathsInQueue(queue, run)).toEqual(
    new Map([
      [0, { inCompany: 2, alone: 0 }],
      [1, { inCompany: 2, alone: 1 }],
    ]),
  );
});
