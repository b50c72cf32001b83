import { describe, expect, test } from "vitest";
import { BudgetLedger, toMicroUsd } from "../../shared/budget-ledger.ts";
import { laneKeys } from "../../shared/keys.ts";
import type { RedisClient } from "../../shared/redis.ts";
import { connectedRedis } from "../helpers/connected-redis.ts";
import { uniquePrefix } from "../helpers/redis.ts";

let redis: RedisClient;
connectedRedis("producer", (client) => (redis = client));

/** A ledger of which 100 may be spent. */
async function ledgerOf100(): Promise<{ ledger: BudgetLedger; key: string }> {
  const key = laneKeys(uniquePrefix(), "{lane}").budget("run");
  const ledger = new BudgetLedger(redis, key);
  await ledger.open({ life: "first", spent: 0, limit: 100 });
  return { ledger, key };
}

describe.concurrent("the ledger of a budget", () => {
  test("grants no more than its limit, whoever asks at the same time", async () => {
    const { ledger } = await ledgerOf100();
    const asked = Array.from({ length: 50 }, (_, i) => ledger.reserve(`call ${i}`, 7, "worker"));
    const granted = (await Promise.all(asked)).filter((life) => life !== undefined);
    expect(granted).toHaveLength(14);
    expect(await ledger.look()).toMatchObject({ spent: 98, limit: 100, wanted: 7 });
  });

  test("names the smallest amount that was refused since it was last looked at", async () => {
    const { ledger } = await ledgerOf100();
    await ledger.reserve("a", 100, "worker:with:colons");
    for (const amount of [30, 20, 40]) await ledger.reserve(`b ${amount}`, amount, "worker");
    expect(await ledger.look()).toEqual({
      life: "first",
      spent: 100,
      limit: 100,
      wanted: 20,
      open: [{ worker: "worker:with:colons", amount: 100 }],
    });
    expect((await ledger.look())?.wanted).toBeUndefined();
  });

  test("counts what a call cost in place of its reservation, more or less or nothing", async () => {
    const { ledger } = await ledgerOf100();
    for (const call of ["less", "more", "nothing", "open"]) await ledger.reserve(call, 20, "w");
    await ledger.settle("less", 12, "first");
    await ledger.settle("more", 23, "first");
    await ledger.settle("nothing", 0, "first");
    const state = await ledger.look();
    expect(state).toMatchObject({ spent: 12 + 23 + 20, open: [{ amount: 20 }] });
  });

  test("grants a reservation that is sent twice once", async () => {
    const { ledger } = await ledgerOf100();
    expect(await ledger.reserve("same", 60, "w")).toBe("first");
    expect(await ledger.reserve("same", 60, "w")).toBe("first");
    expect((await ledger.look())?.spent).toBe(60);
  });

  test("grants nothing while it is lost, and gives nothing back of an earlier life", async () => {
    const { ledger, key } = await ledgerOf100();
    await ledger.reserve("early", 40, "w");
    await redis.del(key);
    expect(await ledger.reserve("late", 1, "w")).toBeUndefined();
    await ledger.settle("early", 0, "first");
    await ledger.raise("first", 1_000);
    expect(await ledger.look()).toBeUndefined();
    await ledger.open({ life: "second", spent: 100, limit: 100 });
    await ledger.settle("early", 0, "first");
    expect((await ledger.look())?.spent).toBe(100);
  });

  test("adds the cost of a call whose reservation it lost to a failover", async () => {
    const { ledger, key } = await ledgerOf100();
    await ledger.reserve("lost", 40, "w");
    await redis.hset(key, "spent", "0");
    await redis.hdel(key, "call:lost");
    await ledger.settle("lost", 35, "first");
    expect((await ledger.look())?.spent).toBe(35);
  });
});

test("money is counted in whole millionths, never less than it is", () => {
  expect(toMicroUsd(0.04 * 4)).toBe(160_000);
  expect(toMicroUsd(0.1 + 0.2)).toBe(300_000);
  expect(toMicroUsd(0.000_000_1)).toBe(1);
  expect(toMicroUsd(0)).toBe(0);
});
