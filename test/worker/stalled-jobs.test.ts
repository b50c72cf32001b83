import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { unpauseLane } from "../../shared/lane-state.ts";
import { imageSeed } from "../../worker/seeds.ts";
import { startTestRedis, type TestRedis } from "../helpers/redis.ts";
import { openTestLane, promptOfIndex, type TestLane } from "../helpers/test-lane.ts";
import { AnswerHold, watchedModels } from "../helpers/watched-model.ts";
import { until } from "../helpers/until.ts";

let server: TestRedis;
beforeAll(async () => {
  server = await startTestRedis();
});
afterAll(() => server.close());

/** Holds back the answers to the first prompt only. */
function holdFirst(hold: AnswerHold) {
  return watchedModels({
    answered: (prompt) => (prompt === promptOfIndex(0) ? hold.answered() : undefined),
  });
}

/** Takes a job's lock away, as an outage of Redis does, until another round of it has been started. */
async function stall(lane: TestLane, id: string): Promise<void> {
  await lane.redis.del(`${lane.keys.queuePrefix}:${lane.lane}:${id}:lock`);
  await until(async () => expect((await lane.queue.getJob(id))?.attemptsStarted).toBe(2));
}

describe.concurrent("a job whose lock is lost while its call is in flight", () => {
  test("waits for the call of the other worker instead of buying it again", async () => {
    await using lane = await openTestLane(server);
    const hold = new AnswerHold();
    const createModel = holdFirst(hold);
    const first = await lane.serve({ concurrency: 1, createModel });
    const id = await lane.add(0);
    await until(() => expect(hold.held).toBe(1));
    const second = await lane.serve({ concurrency: 2, createModel });
    await stall(lane, id);
    // The second worker goes on with other prompts, so it would have had the time.
    for (const index of [1, 2, 3]) {
      await lane.add(index);
      await lane.results(index);
    }
    expect([...first.calls]).toEqual([id]);
    hold.release();
    const results = await lane.results(5);
    const [one, two] = results.filter(({ index }) => index === 0);
    expect(one).toMatchObject({
      state: "succeeded",
      attempts: [{ outcome: "ok", worker: first.worker }],
    });
    expect(two).toMatchObject({
      state: "succeeded",
      attempts: [],
      images: [{ recovered: true, sha256: one!.images[0]!.sha256 }],
    });
    expect(lane.simulator.ledger.callsOf(promptOfIndex(0))).toHaveLength(1);
    expect(second.calls.size).toBe(0);
    await until(async () => expect(await lane.jobKeys()).toEqual([]));
  });

  test("waits for the call of its own worker as well", async () => {
    await using lane = await openTestLane(server);
    const hold = new AnswerHold();
    await lane.serve({ concurrency: 3, createModel: holdFirst(hold) });
    const id = await lane.add(0);
    await until(() => expect(hold.held).toBe(1));
    await stall(lane, id);
    for (const index of [1, 2, 3]) {
      await lane.add(index);
      await lane.results(index);
    }
    hold.release();
    await lane.results(5);
    expect(lane.simulator.ledger.callsOf(promptOfIndex(0))).toHaveLength(1);
    await until(async () => expect(await lane.jobKeys()).toEqual([]));
  });

  test("and is a sub-job: its prompt still comes to one whole result, each image bought once", async () => {
    await using lane = await openTestLane(server, { run: { numGenerations: 2 } });
    const hold = new AnswerHold();
    const createModel = holdFirst(hold);
    await lane.serve({ concurrency: 2, createModel });
    const id = await lane.add(0);
    await until(() => expect(hold.held).toBe(2));
    await lane.serve({ concurrency: 2, createModel });
    await stall(lane, `${id}-0`);
    hold.release();
    const [result] = await lane.results(1);
    expect(result!.state).toBe("succeeded");
    expect(result!.images.map(({ generation }) => generation)).toEqual([0, 1]);
    const seeds = Array.from(lane.simulator.ledger.records(), ({ seed }) => seed);
    expect(seeds).toHaveLength(2);
    expect(new Set(seeds)).toEqual(new Set([0, 1].map((n) => imageSeed(lane.run.seed, 0, n))));
    await until(async () => expect(await lane.jobKeys()).toEqual([]));
  });

  test("and that was added again to a Redis that was emptied waits for it, though no heartbeat tells of it", async () => {
    await using lane = await openTestLane(server);
    const hold = new AnswerHold();
    const createModel = holdFirst(hold);
    await lane.serve({ concurrency: 1, createModel });
    await lane.add(0);
    await until(() => expect(hold.held).toBe(1));
    const { continuity } = await lane.serve({ concurrency: 2, createModel });
    // A worker that has only just come gives the others time to tell of their calls.
    await until(() => expect(continuity.connectedAt).toBeLessThan(Date.now() - 3_000));
    await lane.empty();
    await lane.add(0, { mayExist: true });
    for (const index of [1, 2, 3]) await lane.add(index);
    await lane.results(3);
    await until(async () => expect(await lane.heartbeats()).toHaveLength(2));
    hold.release();
    await lane.results(5);
    expect(lane.simulator.ledger.callsOf(promptOfIndex(0))).toHaveLength(1);
  });
});

test("a job whose lock is lost before its call starts is left to who has it, where Redis was away", async () => {
  await using lane = await openTestLane(server);
  const first = await lane.serve({ concurrency: 1 });
  first.gate.hold(60_000);
  const id = await lane.add(0);
  await until(() => expect([...first.unsentCalls]).toEqual([id]));
  const second = await lane.serve({ concurrency: 1 });
  await stall(lane, id);
  first.continuity.forgotten();
  // The hold is told to Redis again, and ended there.
  await until(async () => expect(await lane.redis.exists(lane.keys.hold)).toBe(1));
  await unpauseLane(lane.redis, lane.keys);
  expect(await lane.results(1)).toMatchObject([
    { state: "succeeded", attempts: [{ outcome: "ok", worker: second.worker }] },
  ]);
  await until(async () => expect(await lane.jobKeys()).toEqual([]));
  expect(lane.simulator.ledger.calls).toBe(1);
});
