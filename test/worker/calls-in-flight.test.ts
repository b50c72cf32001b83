import { hostname } from "node:os";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ProviderError } from "../../shared/failure.ts";
import { jobId } from "../../shared/job.ts";
import { startTestRedis, type TestRedis } from "../helpers/redis.ts";
import { openTestLane } from "../helpers/test-lane.ts";
import { AnswerHold, watchedModels } from "../helpers/watched-model.ts";
import { until } from "../helpers/until.ts";

let server: TestRedis;
beforeAll(async () => {
  server = await startTestRedis();
});
afterAll(() => server.close());

describe.concurrent("close()", () => {
  test("finishes calls that were sent and hands unsent jobs back, unspent", async () => {
    await using lane = await openTestLane(server);
    const hold = new AnswerHold();
    const service = await lane.serve({ concurrency: 2, createModel: watchedModels(hold) });
    for (let index = 0; index < 4; index++) await lane.add(index);
    await until(() => expect(hold.held).toBe(2));
    const closing = service.close(20_000);
    hold.release();
    expect(await closing).toBe(0);
    expect(await lane.results(2)).toMatchObject([{ state: "succeeded" }, { state: "succeeded" }]);
    const waiting = await lane.queue.getJobs(["waiting"]);
    expect(waiting.map(({ attemptsMade }) => attemptsMade)).toEqual([0, 0]);
    expect(await lane.queue.getJobCountByTypes("active", "delayed", "failed")).toBe(0);
    expect(lane.simulator.ledger.calls).toBe(2);
    expect(await lane.heartbeats()).toEqual([]);
  });

  test("hands back what waits for a hold of the lane", async () => {
    await using lane = await openTestLane(server);
    const service = await lane.serve({ concurrency: 2 });
    service.gate.hold(60_000);
    await lane.add(0);
    await until(async () => expect(await lane.queue.getActiveCount()).toBe(1));
    expect(await service.close(20_000)).toBe(0);
    expect(await lane.queue.getWaitingCount()).toBe(1);
    expect(lane.simulator.ledger.calls).toBe(0);
    await lane.serve();
    expect(await lane.results(1)).toMatchObject([
      { state: "succeeded", attempts: [{ outcome: "ok" }] },
    ]);
  });

  test("gives calls up after the grace time, says how many, and puts their jobs back", async () => {
    await using lane = await openTestLane(server);
    const hold = new AnswerHold();
    const service = await lane.serve({ createModel: watchedModels(hold) });
    await lane.add(0);
    await lane.add(1);
    await until(() => expect(hold.held).toBe(2));
    expect(await service.close(0)).toBe(2);
    expect(await lane.queue.getWaitingCount()).toBe(2);
    hold.release();
    await lane.serve();
    expect(await lane.results(2)).toMatchObject([{ state: "succeeded" }, { state: "succeeded" }]);
  });
});

describe.concurrent("heartbeats", () => {
  test("list the calls in flight, and apart from them those that wait to start", async () => {
    await using lane = await openTestLane(server);
    const hold = new AnswerHold();
    const service = await lane.serve({ createModel: watchedModels(hold), concurrency: 2 });
    expect(await lane.heartbeats()).toMatchObject([
      {
        worker: service.worker,
        host: hostname(),
        pid: process.pid,
        concurrency: 2,
        fit: true,
        calls: [],
      },
    ]);
    const ids = [await lane.add(0), await lane.add(1)];
    await lane.add(2);
    await until(async () => expect((await lane.heartbeats())[0]!.calls.toSorted()).toEqual(ids));
    service.gate.hold(60_000);
    hold.release();
    const next = jobId(lane.run.id, 0, 2);
    await until(async () =>
      expect(await lane.heartbeats()).toMatchObject([{ calls: [], unsentCalls: [next] }]),
    );
    service.gate.holdIsShared(0);
    await until(async () => {
      const [beat] = await lane.heartbeats();
      expect(beat).toMatchObject({ calls: [] });
      expect(beat).not.toHaveProperty("unsentCalls");
    });
  });

  test("list a call that waits to be made again as one that waits, which close() does not give up", async () => {
    await using lane = await openTestLane(server);
    const refused = new ProviderError("rate_limited", "slow down", { retryAfterMs: 60_000 });
    const before = () => {
      throw refused;
    };
    const service = await lane.serve({ createModel: watchedModels({ before }) });
    const id = await lane.add(0);
    await until(async () =>
      expect(await lane.heartbeats()).toMatchObject([{ calls: [], unsentCalls: [id] }]),
    );
    expect(await service.close(0)).toBe(0);
    await until(async () => expect(await lane.queue.getWaitingCount()).toBe(1));
  });
});
