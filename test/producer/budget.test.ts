import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { Budget } from "../../producer/budget.ts";
import { readBudgetFile } from "../../producer/budget-file.ts";
import { RunLostError } from "../../producer/run-lock.ts";
import { Settled } from "../../producer/settled.ts";
import { BudgetLedger } from "../../shared/budget-ledger.ts";
import type { Heartbeat } from "../../shared/heartbeat.ts";
import { laneKeys } from "../../shared/keys.ts";
import type { RedisClient } from "../../shared/redis.ts";
import { connectedRedis } from "../helpers/connected-redis.ts";
import { uniquePrefix } from "../helpers/redis.ts";
import { temporaryFolder } from "../helpers/temporary-folder.ts";
import { testRun } from "../helpers/test-run.ts";

let redis: RedisClient;
connectedRedis("producer", (client) => (redis = client));

const price = 40_000;

/** A worker with one call in flight at once. */
function worker(id: string): Heartbeat {
  return {
    v: 1,
    worker: id,
    host: "host",
    machine: "machine",
    pid: 1,
    version: "0",
    concurrency: 1,
    fit: true,
    calls: [],
    rssBytes: 0,
  };
}

/** A run of images at 4 cents; each call of `open` is a life of its producer. */
async function stage(maxCostUsd: number) {
  const folder = temporaryFolder();
  await mkdir(join(folder, ".imagemill"));
  const key = laneKeys(uniquePrefix(), "{lane}").budget("run");
  const ledger = new BudgetLedger(redis, key);
  const run = testRun({ maxCostUsd });
  const open = async (journaledUsd?: number, max = maxCostUsd) => {
    const settled = new Settled(run);
    settled.totals.costUsd = journaledUsd;
    const lane = { budget: () => ledger };
    const lock = { check: async () => {} };
    const budget = new Budget({ run, state: folder, lane, settled, lock }, max);
    await budget.open();
    return budget;
  };
  const allowed = async () => (await readBudgetFile(folder))?.allowedMicroUsd;
  return { folder, key, ledger, open, allowed };
}

describe("a budget", () => {
  test("lets workers spend two calls each, and puts it on the disk before", async () => {
    const { ledger, open, allowed } = await stage(1);
    const budget = await open();
    expect(await ledger.reserve("a", price, "w")).toBeUndefined();
    expect(await budget.look([worker("w"), worker("v")])).toBeUndefined();
    expect((await ledger.look())?.limit).toBe(4 * price);
    expect(await allowed()).toBe(4 * price);
    for (const call of ["a", "b", "c"])
      expect(await ledger.reserve(call, price, "w")).toBeDefined();
    await budget.look([worker("w"), worker("v")]);
    expect((await ledger.look())?.limit).toBe(7 * price);
  });

  test("is used up when a call does not fit and no living worker can give anything back", async () => {
    const { ledger, open } = await stage(0.1);
    const budget = await open();
    const workers = [worker("w")];
    await budget.look(workers);
    for (const [call, by] of [
      ["a", "w"],
      ["b", "dead"],
    ] as const)
      await ledger.reserve(call, price, by);
    await budget.look(workers);
    await ledger.reserve("c", price, "w");
    expect(await budget.look(workers)).toBeUndefined();
    await ledger.settle("a", price, (await ledger.look())!.life);
    await ledger.reserve("c", price, "w");
    expect((await budget.look(workers))?.text).toBe(
      "budget: $0.08 of --max-cost $0.10 are spent, with broken calls and prompts that are not finished; the next call may cost $0.04 (give a higher --max-cost to go on)",
    );
  });

  test("counts as spent all that it allowed where the ledger is lost", async () => {
    const { key, ledger, open, allowed } = await stage(10);
    const budget = await open();
    await budget.look([worker("w")]);
    await ledger.reserve("a", price, "w");
    await redis.del(key);
    await budget.look([worker("w")]);
    expect(await ledger.look()).toMatchObject({ spent: 2 * price, limit: 2 * price, open: [] });
    expect(await allowed()).toBe(2 * price);
  });

  test("believes the ledger that goes with the disk, another one not", async () => {
    const { key, ledger, open } = await stage(10);
    const first = await open();
    await first.look([worker("w")]);
    await ledger.reserve("a", price, "w");
    await open();
    expect((await ledger.look())?.spent).toBe(price);
    await redis.hset(key, "life", "of an older run in this Redis");
    await open();
    expect((await ledger.look())?.spent).toBe(price);
    await redis.del(key);
    await open(0.5);
    expect((await ledger.look())?.spent).toBe(500_000);
  });

  test("leaves on the disk what was spent, and takes a lower maximum the next time", async () => {
    const { key, ledger, open, allowed } = await stage(10);
    const budget = await open();
    await budget.look([worker("w")]);
    await ledger.reserve("a", price, "w");
    await budget.close();
    expect(await allowed()).toBe(price);
    expect(await redis.exists(key)).toBe(0);
    const lower = await open(undefined, 0.01);
    await ledger.reserve("b", price, "w");
    expect((await lower.look([worker("w")]))?.text).toContain("$0.04 of --max-cost $0.01");
  });

  test("of a run that another producer has taken over is not touched", async () => {
    const { folder, ledger, open } = await stage(10);
    await open();
    const lock = {
      check: async () => {
        throw new RunLostError("taken over");
      },
    };
    const run = testRun({ maxCostUsd: 10 });
    const parts = { run, state: folder, lane: { budget: () => ledger }, lock };
    const lost = new Budget({ ...parts, settled: new Settled(run) }, 10);
    const before = await ledger.look();
    await expect(lost.open()).rejects.toThrow(RunLostError);
    expect(await ledger.look()).toEqual(before);
  });
});
