import { spawn } from "node:child_process";
import { once } from "node:events";
import { hostname } from "node:os";
import { describe, expect, test, vi } from "vitest";
import { acquireObjectLock } from "../../producer/object-lock.ts";
import { RunInUseError, RunLostError } from "../../producer/run-lock.ts";
import { hostIdentity } from "../../shared/host-identity.ts";
import { StorageError } from "../../shared/storage.ts";
import { UsageError } from "../../shared/usage-error.ts";
import type { S3Server } from "../helpers/s3-server.ts";
import { S3Refusal } from "../helpers/s3-objects.ts";
import { openTestServer, openTestStore, testLocation } from "../helpers/s3-stores.ts";
import { until } from "../helpers/until.ts";

const key = "runs/first/.imagemill/run.lock";

function lockIn(server: S3Server): Record<string, unknown> {
  return JSON.parse(server.bucket.get(key)!.toString("utf8"));
}

/** A server with a lock that somebody holds. */
async function lockedBy(changes: object): Promise<S3Server> {
  const server = await openTestServer();
  const holder = {
    host: hostname(),
    machine: hostIdentity(),
    pid: process.pid,
    started: null,
    epoch: 7,
    token: "theirs",
    beat: 3,
    released: false,
    ...changes,
  };
  server.bucket.set(key, Buffer.from(JSON.stringify(holder)));
  return server;
}

async function deadPid(): Promise<number> {
  const child = spawn(process.execPath, ["--version"], { stdio: "ignore" });
  await once(child, "exit");
  return child.pid!;
}

describe("the lock of a run in a bucket", () => {
  test("is taken, renewed and given back; its epoch grows from life to life", async () => {
    const server = await openTestServer();
    const store = openTestStore(server);
    for (const epoch of [1, 2]) {
      await using lock = await acquireObjectLock(store);
      expect(lock.epoch).toBe(epoch);
      await lock.check();
      expect(lockIn(server)).toMatchObject({ pid: process.pid, epoch, released: false });
    }
    expect(lockIn(server)).toMatchObject({ released: true });
  });

  test("is refused by a living holder, whose process and host it names", async () => {
    const store = openTestStore(await openTestServer());
    await using lock = await acquireObjectLock(store);
    const refused = acquireObjectLock(store);
    await expect(refused).rejects.toThrow(RunInUseError);
    await expect(refused).rejects.toThrow(
      `${testLocation} is in use by process ${process.pid} on ${hostname()}`,
    );
    await lock.check();
  });

  test("of many that find the same dead holder exactly one gets it", async () => {
    const server = await lockedBy({ pid: await deadPid() });
    const store = openTestStore(server);
    const takers = await Promise.allSettled(
      Array.from({ length: 8 }, () => acquireObjectLock(store)),
    );
    const won = takers.filter((taker) => taker.status === "fulfilled");
    const lost = takers.filter((taker) => taker.status === "rejected");
    expect(won.map(({ value }) => value.epoch)).toEqual([8]);
    expect(lost.every(({ reason }) => reason instanceof RunInUseError)).toBe(true);
    await won[0]!.value[Symbol.asyncDispose]();
  });

  test("of another machine's holder is that holder's while it renews", async () => {
    const server = await lockedBy({ machine: "elsewhere", host: "elsewhere.example", pid: 1 });
    let beat = 3;
    const renewing = setInterval(() => {
      const lock = { ...lockIn(server), beat: ++beat };
      server.bucket.set(key, Buffer.from(JSON.stringify(lock)));
    }, 200);
    try {
      await expect(acquireObjectLock(openTestStore(server))).rejects.toThrow(
        "process 1 on elsewhere.example",
      );
    } finally {
      clearInterval(renewing);
    }
  });

  test("of another machine's holder that is silent is taken over; that one writes nothing more", async () => {
    const server = await openTestServer();
    await using silent = await acquireObjectLock(openTestStore(server));
    const stolen = { ...lockIn(server), host: "other", machine: "other", pid: 9, token: "other" };
    server.bucket.set(key, Buffer.from(JSON.stringify(stolen)));
    await expect(silent.renew()).rejects.toThrow(RunLostError);
    await expect(silent.check()).rejects.toThrow("lost its run to process 9 on other");
    await silent[Symbol.asyncDispose]();
    expect(lockIn(server)).toEqual(stolen);
  });

  test("is still its holder's where the answer to a renewal was lost", async () => {
    const server = await openTestServer();
    await using lock = await acquireObjectLock(openTestStore(server));
    let lost = 1;
    server.trouble = ({ method }) => (method === "PUT" && lost-- > 0 ? "answer lost" : undefined);
    await lock.renew();
    await lock.renew();
    await expect(lock.check()).resolves.toBeUndefined();
  });

  test("is its taker's where the answer to taking it was lost", async () => {
    const server = await openTestServer();
    let lost = 1;
    server.trouble = ({ method }) => (method === "PUT" && lost-- > 0 ? "answer lost" : undefined);
    await using lock = await acquireObjectLock(openTestStore(server));
    await expect(lock.renew()).resolves.toBeUndefined();
  });

  test("is given back also where the answer to the last renewal was lost", async () => {
    const server = await openTestServer();
    const store = openTestStore(server);
    const lock = await acquireObjectLock(store);
    server.trouble = ({ method }) => (method === "PUT" ? "answer lost" : undefined);
    await expect(lock.renew()).rejects.toThrow(StorageError);
    server.trouble = () => undefined;
    await lock[Symbol.asyncDispose]();
    expect(lockIn(server)).toMatchObject({ released: true });
  });

  test("is given back where the storage fails before it can be used", async () => {
    const server = await openTestServer();
    const store = openTestStore(server);
    let puts = 0;
    server.trouble = ({ method }) =>
      method === "PUT" && ++puts === 2 ? new S3Refusal(403, "AccessDenied") : undefined;
    await expect(acquireObjectLock(store)).rejects.toThrow("access was denied");
    await using lock = await acquireObjectLock(store);
    expect(lock.epoch).toBe(2);
  });

  test("is renewed by itself, and looks again before it trusts a lock that it could not renew", async () => {
    const server = await openTestServer();
    await using lock = await acquireObjectLock(openTestStore(server));
    await until(() => expect(lockIn(server)["beat"]).toBeGreaterThan(0));
    const before = server.requests.length;
    await lock.check();
    expect(server.requests.length).toBe(before);
    vi.spyOn(Date, "now").mockReturnValue(Date.now() + 7_000);
    server.trouble = () => new S3Refusal(403, "AccessDenied");
    await expect(lock.check()).rejects.toThrow("access was denied");
    server.trouble = () => undefined;
    vi.restoreAllMocks();
  });

  test("is refused where the storage ignores conditions", async () => {
    const server = await openTestServer();
    server.knowsConditions = false;
    const taking = acquireObjectLock(openTestStore(server));
    await expect(taking).rejects.toThrow(UsageError);
    await expect(taking).rejects.toThrow(`the storage of ${testLocation} ignores If-None-Match`);
  });
});
