import type { Queue } from "bullmq";
import { afterEach, beforeEach, expect, test } from "vitest";
import { JOB_VERSION, jobId, jobNames, jobOptions } from "../../shared/job.ts";
import { laneKeys } from "../../shared/keys.ts";
import { openLaneQueue } from "../../shared/lane-queue.ts";
import type { RedisClient } from "../../shared/redis.ts";
import { type SubJob, SubJobWriter } from "../../worker/sub-job-writer.ts";
import { connectedRedis } from "../helpers/connected-redis.ts";
import { uniquePrefix } from "../helpers/redis.ts";

const run = "abcdefghijkl";
let redis: RedisClient;
connectedRedis("worker", (client) => (redis = client));

let queue: Queue;
beforeEach(() => {
  queue = openLaneQueue("{lane}", laneKeys(uniquePrefix(), "{lane}"), redis);
});
afterEach(() => queue.close());

function subJobsOf(index: number, count: number): SubJob[] {
  return Array.from({ length: count }, (_, first) => ({
    id: jobId(run, 0, index, first),
    data: { v: JOB_VERSION, run, round: 0, index, prompt: "a cat", generations: [first] },
  }));
}

/** Adds a prompt job that can have children; gives its id. */
async function addParent(index: number): Promise<string> {
  const id = jobId(run, 0, index);
  await queue.add(jobNames.prompt, {}, jobOptions(id));
  return id;
}

/** Ids of waiting jobs, the next to be taken first. */
async function waiting(): Promise<(string | undefined)[]> {
  return (await queue.getWaiting()).map(({ id }) => id);
}

test("sub-jobs stand before waiting prompts, those of each prompt in their order", async () => {
  const parents = [await addParent(0), await addParent(1)];
  const writer = new SubJobWriter(queue);
  const lost = await Promise.all(parents.map((id, index) => writer.add(id, subJobsOf(index, 3))));
  expect(lost).toEqual([[], []]);
  const ids = [1, 0].flatMap((index) => subJobsOf(index, 3).map(({ id }) => id));
  expect(await waiting()).toEqual([...ids, ...parents]);
  const { unprocessed } = await (await queue.getJob(parents[1]!))!.getDependencies();
  expect(unprocessed).toHaveLength(3);
});

test("sub-jobs of a prompt job that is gone are told as not added, its neighbours' are there", async () => {
  const parent = await addParent(0);
  const writer = new SubJobWriter(queue);
  const [there, gone] = await Promise.all([
    writer.add(parent, subJobsOf(0, 2)),
    writer.add(jobId(run, 0, 7), subJobsOf(7, 2)),
  ]);
  expect(there).toEqual([]);
  expect(gone).toEqual([`${jobId(run, 0, 7, 1)}: -5`, `${jobId(run, 0, 7, 0)}: -5`]);
  expect(await waiting()).toEqual([...subJobsOf(0, 2).map(({ id }) => id), parent]);
});
