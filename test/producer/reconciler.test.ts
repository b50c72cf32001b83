import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { reconcile } from "../../producer/reconciler.ts";
import type { InFlight } from "../../producer/window.ts";
import { startTestRedis, type TestRedis } from "../helpers/redis.ts";
import { openProducerStage, type ProducerStage } from "./producer-stage.ts";

let server: TestRedis;
beforeAll(async () => {
  server = await startTestRedis();
});
afterAll(() => server.close());

/** Reconciles and gives the indexes of the prompts that were added again. */
async function heal(stage: ProducerStage): Promise<number[]> {
  const added: InFlight[] = [];
  const send = async (prompts: readonly InFlight[]) => {
    added.push(...prompts);
    await stage.lane.add(prompts);
  };
  const count = await reconcile({ ...stage, send });
  expect(count).toBe(added.length);
  return added.map(({ job }) => job.index);
}

describe("reconcile", () => {
  test("adds lost jobs again, marked as possibly tried before, and leaves the others alone", async () => {
    await using stage = await openProducerStage(server);
    const prompts = [0, 1, 2].map((index) => stage.prompt(index));
    await stage.lane.add(prompts);
    expect(await heal(stage)).toEqual([]);
    await stage.lane.remove(prompts[1]!);
    expect(await heal(stage)).toEqual([1]);
    expect(prompts.map(({ job }) => job.mayExist)).toEqual([undefined, true, undefined]);
    expect(await stage.lane.gone(prompts)).toEqual([]);
    expect(await heal(stage)).toEqual([]);
  });

  test("heals a Redis that was emptied", async () => {
    await using stage = await openProducerStage(server);
    const prompts = [0, 1, 2].map((index) => stage.prompt(index));
    await stage.lane.add(prompts);
    for (const key of await stage.redis.keys(`${stage.keys.queuePrefix}:*`))
      await stage.redis.del(key);
    expect(await heal(stage)).toEqual([0, 1, 2]);
    expect(await stage.lane.gone(prompts)).toEqual([]);
  });

  test("does not add again a prompt whose result is waiting in the stream: it is settled", async () => {
    await using stage = await openProducerStage(server);
    for (const index of [0, 1]) stage.prompt(index);
    await stage.report(stage.result(0));
    expect(await heal(stage)).toEqual([1]);
    expect(stage.settled.has(0)).toBe(true);
    expect(stage.window.get(0)).toBeUndefined();
  });

  test("does not look for jobs that were just added, or not yet", async () => {
    await using stage = await openProducerStage(server);
    stage.prompt(0).addedAt = Date.now();
    stage.prompt(1).addedAt = 0;
    expect(await heal(stage)).toEqual([]);
  });
});

describe("LaneClient", () => {
  test("removes a waiting job, and one that is gone is as good as removed, but not one in a worker's hands", async () => {
    await using stage = await openProducerStage(server);
    const prompts = [0, 1].map((index) => stage.prompt(index));
    await stage.lane.add(prompts);
    expect(await stage.lane.remove(prompts[0]!)).toBe(true);
    expect(await stage.lane.gone(prompts)).toEqual([prompts[0]]);
    expect(await stage.lane.remove(prompts[0]!)).toBe(true);
    await stage.redis.set(
      `${stage.keys.queuePrefix}:${stage.lane.lane}:${prompts[1]!.id}:lock`,
      "worker",
    );
    expect(await stage.lane.remove(prompts[1]!)).toBe(false);
    expect(await stage.lane.gone(prompts)).toEqual([prompts[0]]);
  });

  test("adds the same prompt twice for nothing", async () => {
    await using stage = await openProducerStage(server);
    const prompt = stage.prompt(0);
    await stage.lane.add([prompt]);
    await stage.lane.add([prompt, stage.prompt(1)]);
    const waiting = await stage.redis.llen(`${stage.keys.queuePrefix}:${stage.lane.lane}:wait`);
    expect(waiting).toBe(2);
  });

  test("reads results in order from where it is told, and trims exactly up to the id it is told", async () => {
    await using stage = await openProducerStage(server);
    for (const id of ["5-0", "5-1", "5-18446744073709551615", "6-0"])
      await stage.redis.xadd(stage.keys.results(stage.run.id), id, "result", id);
    expect((await stage.lane.results("0")).map(({ text }) => text)).toEqual([
      "5-0",
      "5-1",
      "5-18446744073709551615",
      "6-0",
    ]);
    expect((await stage.lane.results("5-1")).map(({ id }) => id)).toEqual([
      "5-18446744073709551615",
      "6-0",
    ]);
    await stage.lane.trimResults("5-0");
    expect((await stage.lane.results("0")).map(({ id }) => id)).toEqual([
      "5-1",
      "5-18446744073709551615",
      "6-0",
    ]);
  });
});
