import { existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Redis } from "ioredis";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { surveyRun, UsageError, type Run, type RunSurvey } from "../../index.ts";
import { readRunFile } from "../../shared/run-file.ts";
import { startTestRedis, type TestRedis } from "../helpers/redis.ts";
import { allResults, openLibraryStage, prompts } from "./library-stage.ts";
import { until } from "../helpers/until.ts";

let server: TestRedis;
beforeAll(async () => {
  server = await startTestRedis();
});
afterAll(() => server.close());

describe("a run of rows from code", () => {
  test("gives every prompt's result once, with its columns, and ends", async () => {
    await using stage = await openLibraryStage(server);
    await stage.work();
    const source = [{ prompt: "a red bicycle", name: "r", wheels: 2 }, "a blue bicycle"];
    const run = await stage.open({ source, idColumn: "name", numGenerations: 2 });
    const results = await allResults(run);
    expect(results).toMatchObject([
      { index: 0, id: "r", prompt: "a red bicycle", columns: { wheels: 2 }, state: "succeeded" },
      { index: 1, prompt: "a blue bicycle", columns: {}, state: "succeeded" },
    ]);
    const files = results.flatMap(({ images }) => images.map(({ file }) => join(run.out, file)));
    expect(files).toHaveLength(4);
    expect(files.every((file) => existsSync(file))).toBe(true);
    expect(await run.finished).toMatchObject({ state: "completed", images: 4, calls: 4 });
  });

  test("is resumed without them: what the run directory has is not asked for again", async () => {
    await using stage = await openLibraryStage(server);
    await stage.work();
    const first = await stage.open({ source: prompts(4), limit: 2 });
    expect(await first.finished).toMatchObject({ images: 2 });
    const never = { [Symbol.iterator]: () => expect.fail("a row was asked for") };
    const second = await stage.open({ source: never, limit: 4 });
    expect(second).toMatchObject({ id: first.id, resumed: true });
    expect(await second.finished).toMatchObject({ state: "completed", images: 4 });
    const third = await stage.open();
    expect(third.isComplete).toBe(true);
    expect((await allResults(third)).map(({ index }) => index)).toEqual([0, 1, 2, 3]);
    expect(stage.simulator.ledger.images).toBe(4);
  });

  test("tells when it has left the queue: all is settled, and the output files are yet to be written", async () => {
    await using stage = await openLibraryStage(server);
    await stage.work();
    const heard: unknown[] = [];
    const onLeft = () =>
      heard.push([run.progress().settled, existsSync(join(run.out, "README.md"))]);
    const run: Run = await stage.open({ source: prompts(3), onLeft });
    await run.finished;
    expect(heard).toEqual([[3, false]]);
    const again = await stage.open({ onLeft });
    await again.finished;
    expect(heard).toHaveLength(1);
  });

  test("refuses a row that is no JSON, with its number, and has no run then", async () => {
    await using stage = await openLibraryStage(server);
    const opening = stage.open({ source: ["a", { prompt: "b", big: 1n }] });
    await expect(opening).rejects.toThrow(/row 2 cannot be kept as JSON/);
    await expect(stage.open()).rejects.toThrow(/holds no run yet: give `source`/);
  });
});

describe("a run that is opened again", () => {
  test("keeps what is not said, and needs no provider for workers that know it", async () => {
    await using stage = await openLibraryStage(server);
    const asked = { source: prompts(2), numGenerations: 2, limits: { imagesPerMinute: 600 } };
    const first = await stage.open(asked);
    await first[Symbol.asyncDispose]();
    await stage.work();
    const again = await stage.open({ provider: undefined, model: undefined });
    expect(await again.finished).toMatchObject({ run: first.id, state: "completed", images: 4 });
    const kept = await readRunFile(again.out);
    expect(kept).toMatchObject({ limits: { imagesPerMinute: 600 }, revision: 0 });
  });

  test("with `isWhole`, what is not said is the default: another wish is refused", async () => {
    await using stage = await openLibraryStage(server);
    const first = await stage.open({ source: [{ prompt: "a", name: "b" }], idColumn: "name" });
    await first[Symbol.asyncDispose]();
    const source = join(first.out, ".imagemill/rows.jsonl");
    const less = stage.open({ isWhole: true, source });
    await expect(less).rejects.toThrow(/id column was name, now null/);
    await expect(stage.open({ isWhole: true })).rejects.toThrow(/give `source`/);
  });
});

describe("what is to be done", () => {
  test("is told before a run is begun, with what it costs; who rejects it has no call made", async () => {
    await using stage = await openLibraryStage(server);
    await stage.work();
    const source = ["a red bicycle", "", "a blue bicycle"];
    const limits = { requestsPerMinute: 300 };
    const approve = async (survey: RunSurvey) => {
      expect(survey).toMatchObject({ prompts: 2, images: 2, calls: 2, rejected: 1, limits });
      expect(survey.cost?.expectedUsd).toBeCloseTo(0.08);
      throw new Error("too dear");
    };
    await expect(stage.open({ source, limits, approve })).rejects.toThrow("too dear");
    expect(stage.simulator.ledger.calls).toBe(0);
  });

  test("can be asked of a dataset that is no run yet, which writes nothing", async () => {
    await using stage = await openLibraryStage(server);
    const source = `${stage.out}.txt`;
    writeFileSync(source, "a red bicycle\na blue bicycle\n");
    const asked = { out: stage.out, source, provider: "openai", model: "imagemill-sim-1" } as const;
    const survey = await surveyRun({ ...asked, numGenerations: 3, maxCostUsd: 1 });
    expect(survey).toMatchObject({ prompts: 2, images: 6, settled: 0, maxCostUsd: 1 });
    expect(existsSync(stage.out)).toBe(false);
    await expect(surveyRun({ out: stage.out })).rejects.toThrow(/give `provider`/);
  });
});

describe("results", () => {
  test("come from the disk first, then live, and may be left early", async () => {
    await using stage = await openLibraryStage(server);
    const run = await stage.open({ source: prompts(30) });
    await stage.work();
    for await (const { state } of run.results()) {
      expect(state).toBe("succeeded");
      break;
    }
    // The first reader has left after one; this one starts in the middle of the run.
    const indexes = (await allResults(run)).map(({ index }) => index);
    expect(indexes).toEqual(Array.from({ length: 30 }, (_, i) => i));
    expect((await allResults(run)).length).toBe(30);
  });

  test("of another round come once, with what the round made of them", async () => {
    await using stage = await openLibraryStage(server, {
      promptFaults: [{ match: "prompt 1 ", fault: "notAnImage" }],
    });
    await stage.work();
    const first = await stage.open({ source: prompts(3), attempts: 1 });
    expect((await allResults(first)).map(({ state }) => state)).toEqual([
      "succeeded",
      "failed",
      "succeeded",
    ]);
    await first.finished;
    stage.simulator.settings.promptFaults = [];
    const second = await stage.open({ retry: "all" });
    // While the round goes on, and when all of it is on the disk, where prompt 1 has two lines.
    for (const _ of ["live", "durable"]) {
      expect((await allResults(second)).map(({ state, index }) => [index, state])).toEqual([
        [0, "succeeded"],
        [1, "succeeded"],
        [2, "succeeded"],
      ]);
    }
  });

  test("of a round that is stopped come with what the round before made of them", async () => {
    await using stage = await openLibraryStage(server, {
      promptFaults: [{ match: "prompt 1 ", fault: "notAnImage" }],
    });
    const worker = await stage.work();
    const first = await stage.open({ source: prompts(3), attempts: 1 });
    await first.finished;
    await worker.close(0);
    const second = await stage.open({ retry: "all" });
    await second.stop();
    expect((await allResults(second)).map(({ state }) => state)).toEqual([
      "succeeded",
      "failed",
      "succeeded",
    ]);
  });
});

describe("events", () => {
  test("tell of prompts, attempts and progress; a listener that throws disturbs nobody", async () => {
    await using stage = await openLibraryStage(server);
    const run = await stage.open({ source: prompts(3) });
    const settled: number[] = [];
    const attempts: number[] = [];
    const progress: number[] = [];
    run.on("settled", () => {
      throw new Error("no");
    });
    const off = run.on("attempt", () => expect.fail("it was taken off"));
    off();
    run.on("settled", ({ index }) => settled.push(index));
    run.on("attempt", ({ outcome }, index) => outcome === "ok" && attempts.push(index));
    run.on("progress", (seen) => progress.push(seen.settled));
    await stage.work();
    expect(await run.finished).toMatchObject({ state: "completed" });
    expect(new Set(settled)).toEqual(new Set([0, 1, 2]));
    expect(new Set(attempts)).toEqual(new Set([0, 1, 2]));
    await until(() => expect(progress.at(-1)).toBe(3));
  });

  test("tell of a lane that is paused, and why", async () => {
    await using stage = await openLibraryStage(server, { quotaAfterImages: 0 });
    const run = await stage.open({ source: prompts(3) });
    const pauses: string[] = [];
    run.on("lanePaused", ({ kind }) => pauses.push(kind));
    await stage.work();
    expect(await run.finished).toMatchObject({ state: "stopped" });
    await until(() => expect(pauses).toEqual(["quota"]));
  });
});

test("a Redis client that was given stays its owner's", async () => {
  await using stage = await openLibraryStage(server);
  const redis = new Redis(server.url.replace("redis+unix://", ""), { connectionName: "theirs" });
  const worker = await stage.work({ redis });
  const run = await stage.open({ redis, source: prompts(2) });
  expect(await run.finished).toMatchObject({ state: "completed" });
  await worker.close(0);
  expect(await redis.ping()).toBe("PONG");
  expect(redis.listenerCount("error")).toBe(0);
  await until(async () => {
    const clients = String(await redis.client("LIST"));
    expect(clients.match(/name=\S+/g)).toEqual(["name=theirs"]);
  });
  redis.disconnect();
});

describe("wrong options are a UsageError that says what to do", () => {
  test.each([
    [{ sauce: "x" }, /openRun has no option `sauce`, did you mean `source`/],
    [{ source: prompts(1), numGenerations: 0 }, /option `numGenerations` of openRun/],
    [{ source: prompts(1), provider: { kind: "opena" } }, /unknown provider `opena`/],
    [{ source: prompts(1), redis: "http://x" }, /Expected a Redis URL/],
    [{ source: "not-there.jsonl" }, /cannot read the dataset/],
  ])("%j", async (options, message) => {
    await using stage = await openLibraryStage(server);
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- wrong on purpose
    const opening = stage.open(options as object);
    await expect(opening.then((run) => run.finished)).rejects.toThrow(message);
    await expect(opening.then((run) => run.finished)).rejects.toThrow(UsageError);
  });
});
