import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { deathsOf } from "../../shared/deaths.ts";
import type { PromptJob } from "../../shared/job.ts";
import { startTestRedis, type TestRedis } from "../helpers/redis.ts";
import { openTestLane, promptOfIndex, type TestLane } from "../helpers/test-lane.ts";
import { AnswerHold, watchedModels } from "../helpers/watched-model.ts";
import { until } from "../helpers/until.ts";

let server: TestRedis;
beforeAll(async () => {
  server = await startTestRedis();
});
afterAll(() => server.close());

const twoInCompany: Partial<PromptJob> = { deaths: { inCompany: 2, alone: 0 } };

async function dataOf(lane: TestLane, id: string): Promise<PromptJob> {
  return (await lane.queue.getJob(id))!.data;
}

describe.concurrent("a job that workers died with", () => {
  test("once runs among others", async () => {
    await using lane = await openTestLane(server);
    const hold = new AnswerHold();
    await lane.serve({ createModel: watchedModels(hold) });
    await lane.add(0, { deaths: { inCompany: 1, alone: 0 } });
    await lane.add(1);
    await until(() => expect(hold.held).toBe(2));
    hold.release();
    expect((await lane.results(2)).map(({ state }) => state)).toEqual(["succeeded", "succeeded"]);
  });

  test("twice waits for the others, runs alone, and lets them go on after it", async () => {
    await using lane = await openTestLane(server);
    const seen: string[] = [];
    const first = new AnswerHold();
    const suspect = new AnswerHold();
    const createModel = watchedModels({
      before: (prompt) => void seen.push(prompt),
      answered: (prompt) =>
        prompt === promptOfIndex(0)
          ? first.answered()
          : prompt === promptOfIndex(1)
            ? suspect.answered()
            : undefined,
    });
    const service = await lane.serve({ createModel });
    await lane.add(0);
    await until(() => expect(first.held).toBe(1));
    const id = await lane.add(1, twoInCompany);
    await until(() => expect(service.solitude.taken).toBe(true));
    await lane.add(2);
    expect(seen).toEqual([promptOfIndex(0)]);
    first.release();
    await until(() => expect(suspect.held).toBe(1));
    // Known to whoever would take it up after the death of this worker.
    expect((await dataOf(lane, id)).deaths).toEqual({ inCompany: 2, alone: 1 });
    expect(seen).toEqual([promptOfIndex(0), promptOfIndex(1)]);
    suspect.release();
    const results = await lane.results(3);
    expect(results.map(({ state }) => state)).toEqual(["succeeded", "succeeded", "succeeded"]);
    expect(service.solitude.taken).toBe(false);
  });

  test("and that comes back alive from running alone is no suspect any more", async () => {
    await using lane = await openTestLane(server, {
      simulator: { promptFaults: [{ match: promptOfIndex(0), fault: "error500", times: 1 }] },
    });
    await lane.serve();
    const id = await lane.add(0, { deaths: { inCompany: 2, alone: 1 } });
    await until(async () => expect((await dataOf(lane, id)).soFar?.attempts).toHaveLength(1));
    expect((await dataOf(lane, id)).deaths).toBeUndefined();
    expect(await lane.results(1)).toMatchObject([{ state: "succeeded" }]);
  });

  test("while it ran alone lets others run alone first, once in each process", async () => {
    await using lane = await openTestLane(server);
    const seen: string[] = [];
    const id = await lane.add(0, { deaths: { inCompany: 2, alone: 1 } });
    await lane.add(1, twoInCompany);
    const hold = new AnswerHold();
    const createModel = watchedModels({
      before: (prompt) => void seen.push(prompt),
      answered: (prompt) => (prompt === promptOfIndex(0) ? hold.answered() : undefined),
    });
    await lane.serve({ createModel });
    await until(() => expect(hold.held).toBe(1));
    expect(seen).toEqual([promptOfIndex(1), promptOfIndex(0)]);
    expect((await dataOf(lane, id)).deaths).toEqual({ inCompany: 2, alone: 2 });
    hold.release();
    expect((await lane.results(2)).map(({ state }) => state)).toEqual(["succeeded", "succeeded"]);
  });

  test("before it had begun is no suspect of that death", async () => {
    await using lane = await openTestLane(server);
    const first = new AnswerHold();
    const createModel = watchedModels({
      answered: (prompt) => (prompt === promptOfIndex(0) ? first.answered() : undefined),
    });
    const service = await lane.serve({ createModel });
    await lane.add(0);
    await until(() => expect(first.held).toBe(1));
    await lane.queue.pause();
    const id = await lane.add(1, twoInCompany);
    await lane.redis.hset(`${lane.keys.queuePrefix}:${lane.lane}:${id}`, { stc: 1 });
    await lane.queue.resume();
    await until(() => expect(service.solitude.taken).toBe(true));
    // It waits for its neighbour: a worker that dies now died of something else.
    const nextStall = 2;
    expect(deathsOf(await dataOf(lane, id), nextStall)).toEqual({ inCompany: 3, alone: 0 });
    first.release();
    await lane.results(2);
  });

  test("is none of those that stall because Redis was away", async () => {
    await using lane = await openTestLane(server);
    const hold = new AnswerHold();
    const service = await lane.serve({ createModel: watchedModels(hold) });
    service.continuity.forgotten();
    await lane.queue.pause();
    const id = await lane.add(0, { deaths: { inCompany: 1, alone: 0 } });
    await lane.redis.hset(`${lane.keys.queuePrefix}:${lane.lane}:${id}`, { stc: 1 });
    await lane.add(1);
    await lane.queue.resume();
    await until(() => expect(hold.held).toBe(2));
    expect((await dataOf(lane, id)).deaths).toEqual({ inCompany: 1, alone: 0 });
    hold.release();
    expect((await lane.results(2)).map(({ state }) => state)).toEqual(["succeeded", "succeeded"]);
  });

  test("that it began with after Redis was back is one, also soon after that", async () => {
    await using lane = await openTestLane(server);
    const hold = new AnswerHold();
    const service = await lane.serve({ createModel: watchedModels(hold) });
    service.continuity.forgotten();
    const once = { deaths: { inCompany: 1, alone: 0 } };
    const id = await lane.add(0, once);
    await until(() => expect(hold.held).toBe(1));
    const { run: _, ...begun } = await dataOf(lane, id);
    // As the next worker finds it after this one's death.
    await lane.queue.pause();
    const next = await lane.add(1, { ...begun, index: 1, prompt: promptOfIndex(1) });
    await lane.redis.hset(`${lane.keys.queuePrefix}:${lane.lane}:${next}`, { stc: 1 });
    await lane.queue.resume();
    await until(() => expect(service.solitude.taken).toBe(true));
    hold.release();
    expect((await lane.results(2)).map(({ state }) => state)).toEqual(["succeeded", "succeeded"]);
  });

  test("while it ran alone, thrice, fails as crashed without another call, and no other prompt with it", async () => {
    await using lane = await openTestLane(server);
    await lane.serve();
    await lane.add(0, { deaths: { inCompany: 2, alone: 3 } });
    await lane.add(1);
    const [crashed, other] = await lane.results(2);
    expect(crashed).toMatchObject({
      state: "failed",
      failures: [
        { kind: "crashed", generations: [0], message: expect.stringMatching(/3 workers/) },
      ],
      attempts: [],
    });
    expect(other).toMatchObject({ state: "succeeded" });
    expect(lane.simulator.ledger.callsOf(promptOfIndex(0))).toEqual([]);
  });
});
