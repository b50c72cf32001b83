import { hash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ProviderError } from "../../shared/failure.ts";
import { checkImage } from "../../shared/image-check.ts";
import { jobId } from "../../shared/job.ts";
import { imagePath } from "../../shared/storage.ts";
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

const up = (a: number, b: number) => a - b;

/** How many images each call asked for, in the order of the calls. */
function asked({ simulator }: TestLane): number[] {
  return Array.from(simulator.ledger.records(), ({ n }) => n);
}

async function expectNothingLeft(lane: TestLane): Promise<void> {
  await until(async () => expect(await lane.jobKeys()).toEqual([]));
}

describe.concurrent("a prompt whose images take several calls", () => {
  test("becomes BullMQ children, one a call, and one result with the images in order", async () => {
    await using lane = await openTestLane(server, { run: { numGenerations: 4 } });
    const hold = new AnswerHold();
    await lane.serve({ createModel: watchedModels(hold) });
    const id = await lane.add(0);
    await until(() => expect(hold.held).toBe(4));
    expect(await lane.queue.getJobState(id)).toBe("waiting-children");
    const job = await lane.queue.getJob(id);
    const { unprocessed } = await job!.getDependencies();
    const children = [0, 1, 2, 3].map(
      (first) => `${lane.keys.queuePrefix}:${lane.lane}:${jobId(lane.run.id, 0, 0, first)}`,
    );
    expect(unprocessed!.toSorted()).toEqual(children);
    hold.release();

    const [result] = await lane.results(1);
    expect(result).toMatchObject({ index: 0, state: "succeeded", numGenerations: 4, failures: [] });
    expect(result!.images.map(({ generation, file }) => [generation, file])).toEqual(
      [0, 1, 2, 3].map((generation) => [generation, `${imagePath(0, generation)}.png`]),
    );
    expect(result!.images.map(({ seed }) => seed)).toEqual(
      [0, 1, 2, 3].map((n) => imageSeed(lane.run.seed, 0, n)),
    );
    expect(result!.attempts.flatMap(({ generations }) => generations).toSorted(up)).toEqual([
      0, 1, 2, 3,
    ]);
    expect(result!.costUsd).toBeCloseTo(0.16);
    expect(asked(lane)).toEqual([1, 1, 1, 1]);
    for (const { file, bytes, width, height, sha256 } of result!.images) {
      const stored = await readFile(join(lane.directory, file));
      expect(stored.length).toBe(bytes);
      expect(checkImage(stored)).toMatchObject({ width, height });
      expect(sha256).toMatch(/^[0-9a-f]{64}$/);
    }
    await expectNothingLeft(lane);
    expect(await lane.redis.xlen(lane.keys.results(lane.run.id))).toBe(1);
  });

  test.for([2_000, 200_000])(
    "has the hashes of the stored bytes, here of %i each, in its result",
    async (imageBytes) => {
      await using lane = await openTestLane(server, {
        run: { numGenerations: 2 },
        simulator: { imageBytes },
      });
      await lane.serve({});
      await lane.add(0);
      const [result] = await lane.results(1);
      expect(result!.images).toHaveLength(2);
      for (const { file, sha256 } of result!.images) {
        const stored = await readFile(join(lane.directory, file));
        expect(stored.length).toBeGreaterThan(imageBytes * 0.9);
        expect(sha256).toBe(hash("sha256", stored, "hex"));
      }
    },
  );

  test("keeps what could be made when one generation fails for good", async () => {
    await using lane = await openTestLane(server, { run: { numGenerations: 4 } });
    const refused = imageSeed(lane.run.seed, 0, 2);
    const createModel = watchedModels({
      before: (_, { seed }) => {
        if (seed === refused)
          throw new ProviderError("content_policy", "not this one", {
            status: 400,
            moderationStage: "input",
          });
      },
    });
    await lane.serve({ createModel });
    await lane.add(0);
    const [result] = await lane.results(1);
    expect(result).toMatchObject({
      state: "partial",
      failures: [{ generations: [2], kind: "content_policy", status: 400 }],
    });
    expect(result!.images.map(({ generation }) => generation)).toEqual([0, 1, 3]);
    expect(result!.attempts).toHaveLength(4);
    expect(lane.simulator.ledger.calls).toBe(3);
    await expectNothingLeft(lane);
  });

  test("of which none can be made is failed, with every failure", async () => {
    await using lane = await openTestLane(server, { run: { numGenerations: 2 } });
    await lane.serve();
    await lane.add(0, { prompt: "a moderated prompt" });
    const [result] = await lane.results(1);
    expect(result).toMatchObject({ state: "failed", images: [] });
    expect(result!.failures.flatMap(({ generations }) => generations).toSorted(up)).toEqual([0, 1]);
    expect(
      result!.failures.every(
        ({ kind, requestId }) => kind === "content_policy" && requestId?.startsWith("req_"),
      ),
    ).toBe(true);
    expect(lane.simulator.ledger.images).toBe(0);
    await expectNothingLeft(lane);
  });

  test("is run ahead of prompts that wait: its sub-jobs come first, in order", async () => {
    await using lane = await openTestLane(server, { run: { numGenerations: 3 } });
    for (const index of [0, 1]) await lane.add(index);
    await lane.serve({ concurrency: 1 });
    await lane.results(2);
    const calls = Array.from(lane.simulator.ledger.records(), ({ prompt, seed }) => [prompt, seed]);
    const expected = [0, 1].flatMap((index) =>
      [0, 1, 2].map((n) => [promptOfIndex(index), imageSeed(lane.run.seed, index, n)]),
    );
    expect(calls).toEqual(expected);
  });

  test("asks a model for several images in as few calls as it allows", async () => {
    await using lane = await openTestLane(server, {
      run: { model: "imagemill-sim-10", maxGenerationsPerCall: 10, numGenerations: 23 },
    });
    await lane.serve();
    await lane.add(0);
    const [result] = await lane.results(1);
    expect(result!.images.map(({ generation }) => generation)).toEqual(
      Array.from({ length: 23 }, (_, n) => n),
    );
    expect(asked(lane).toSorted(up)).toEqual([3, 10, 10]);
    await expectNothingLeft(lane);
  });
});

describe.concurrent("a call that is answered short", () => {
  const several = { model: "imagemill-sim-10", maxGenerationsPerCall: 10 };

  test("with fewer images than asked for: what is missing is planned again, no more", async () => {
    await using lane = await openTestLane(server, {
      run: { ...several, numGenerations: 4 },
      simulator: { promptFaults: [{ match: "prompt 0", fault: "fewerImages", times: 2 }] },
    });
    await lane.serve();
    await lane.add(0);
    const [result] = await lane.results(1);
    expect(result).toMatchObject({ state: "succeeded", failures: [] });
    expect(result!.images.map(({ generation }) => generation)).toEqual([0, 1, 2, 3]);
    // 4 give 3; the one that is left gives none, which is a bad answer, and then comes.
    expect(asked(lane)).toEqual([4, 1, 1]);
    expect(lane.simulator.ledger.images).toBe(4);
  });

  test("in a sub-job: the sub-job asks for the rest itself", async () => {
    await using lane = await openTestLane(server, {
      run: { ...several, numGenerations: 12, maxGenerationsPerCall: 6 },
      simulator: { promptFaults: [{ match: "prompt 0", fault: "fewerImages", times: 1 }] },
    });
    await lane.serve();
    await lane.add(0);
    const [result] = await lane.results(1);
    expect(result!.images.map(({ generation }) => generation)).toEqual(
      Array.from({ length: 12 }, (_, n) => n),
    );
    expect(asked(lane).toSorted(up)).toEqual([1, 6, 6]);
    expect(lane.simulator.ledger.images).toBe(12);
  });
});
