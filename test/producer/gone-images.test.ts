import { renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { startTestRedis, type TestRedis } from "../helpers/redis.ts";
import { filesBelow } from "../helpers/run-files.ts";
import { finishedMill } from "./finished-mill.ts";

let server: TestRedis;
beforeAll(async () => {
  server = await startTestRedis();
});
afterAll(() => server.close());

const prompts = 4;

describe.concurrent("a finished run whose image files", () => {
  test("are gone makes these alone again, keeps the others' details and counts no image twice", async () => {
    await using mill = await finishedMill(server, prompts, 2);
    rmSync(join(mill.out, "images/00000/00000001-0.png"));
    rmSync(join(mill.out, "images/00000/00000003-0.png"));
    rmSync(join(mill.out, "images/00000/00000003-1.png"));
    const run = await mill.open({}, { numGenerations: 2 });
    expect(run.repaired).toEqual([expect.stringMatching(/^3 images .* are gone from the disk/)]);
    expect(await run.finished).toMatchObject({ state: "completed", images: 2 * prompts });
    expect(mill.simulator.ledger.images).toBe(2 * prompts + 3);
    expect(filesBelow(join(mill.out, "images"))).toHaveLength(2 * prompts);
    const again = await mill.open({}, { numGenerations: 2 });
    expect([again.isComplete, again.repaired]).toEqual([true, []]);
    expect(await again.finished).toMatchObject({ images: 2 * prompts });
  });

  test("are all kept elsewhere is complete as it is", async () => {
    await using mill = await finishedMill(server, prompts, 2);
    renameSync(join(mill.out, "images"), join(mill.out, "..", "elsewhere"));
    const run = await mill.open({}, { numGenerations: 2 });
    expect([run.isComplete, run.repaired]).toEqual([true, []]);
    await run.finished;
    expect(mill.simulator.ledger.images).toBe(2 * prompts);
  });
});
