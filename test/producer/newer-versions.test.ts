import { appendFile, readFile, writeFile } from "node:fs/promises";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { NewerVersionError } from "../../shared/newer-version.ts";
import { readRunFile, runFilePath } from "../../shared/run-file.ts";
import { writeSteering } from "../../shared/steering.ts";
import { statePaths } from "../../producer/run-directory.ts";
import { groupFailures } from "../../producer/failures.ts";
import { startTestRedis, type TestRedis } from "../helpers/redis.ts";
import { openTestMill, type TestMill } from "../helpers/test-mill.ts";

let server: TestRedis;
beforeAll(async () => {
  server = await startTestRedis();
});
afterAll(() => server.close());

async function finishedMill(prompts: number): Promise<TestMill> {
  const mill = await openTestMill(server, { prompts });
  await mill.work();
  await (
    await mill.open()
  ).finished;
  return mill;
}

describe.concurrent("a producer that meets something of a newer version", () => {
  test("a result: stops, says what to update, and leaves the result where it is", async () => {
    await using mill = await openTestMill(server, { prompts: 3 });
    const run = await mill.open();
    const stream = mill.keys.results(run.id);
    const result = JSON.stringify({ v: 2, run: run.id, round: 0, index: 0, mood: "new" });
    await mill.redis.xadd(stream, "*", "result", result);
    const summary = await run.finished;
    expect(summary).toMatchObject({ state: "stopped", prompts: { total: 0 } });
    expect(summary.reason).toMatch(/a result of run \w+ was written by a newer imagemill .*update/);
    const entries = await mill.redis.xrange(stream, "-", "+");
    expect(entries.map(([, fields]) => fields[1])).toEqual([result]);
    expect(await (await mill.open()).finished).toMatchObject({ state: "stopped" });
    expect(await mill.redis.xlen(stream)).toBe(1);
    await mill.redis.del(stream);
    await mill.work();
    expect(await (await mill.open()).finished).toMatchObject({
      state: "completed",
      prompts: { succeeded: 3 },
    });
  });

  test.for(["last", "middle"] as const)(
    "a journal line in the %s: refuses the run and touches nothing",
    async (place) => {
      await using mill = await finishedMill(3);
      const { journal } = statePaths(mill.out);
      const [first, ...rest] = (await readFile(journal, "utf8")).split(/(?<=\n)/);
      const newer = first!.replace('"v":1', '"v":2');
      await writeFile(
        journal,
        place === "last" ? [first, ...rest, newer].join("") : [newer, ...rest].join(""),
      );
      const before = await readFile(journal);
      await expect(mill.open()).rejects.toThrow(/the journal was written by a newer imagemill/);
      await expect(groupFailures(journal)).rejects.toThrow(NewerVersionError);
      expect(await readFile(journal)).toEqual(before);
    },
  );

  test("a run.json or a steering.json: refuses the run", async () => {
    await using mill = await finishedMill(1);
    const path = runFilePath(mill.out);
    const text = await readFile(path, "utf8");
    await writeFile(path, text.replace('"v": 1', '"v": 2'));
    await expect(readRunFile(mill.out)).rejects.toThrow(NewerVersionError);
    await expect(mill.open()).rejects.toThrow(`${path} was written by a newer imagemill`);
    await writeFile(path, text.slice(0, 50));
    await expect(mill.open()).rejects.toThrow(/run\.json is damaged \(.*\): bring it back/);
    await writeFile(path, text);
    await writeSteering(mill.out, "paused");
    const steering = path.replace("run.json", "steering.json");
    await writeFile(steering, (await readFile(steering, "utf8")).replace('"v":1', '"v":2'));
    await expect(mill.open()).rejects.toThrow(`${steering} was written by a newer imagemill`);
    await appendFile(steering, "}");
    await expect(mill.open()).rejects.toThrow(`${steering} cannot be read: remove it`);
  });
});
