import { Queue } from "bullmq";
import { Redis } from "ioredis";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ProviderError } from "../../shared/failure.ts";
import { isQueueError } from "../../shared/queue-error.ts";
import { StorageError } from "../../shared/storage.ts";
import { startTestRedis, type TestRedis, uniquePrefix } from "../helpers/redis.ts";

let server: TestRedis;
beforeAll(async () => {
  server = await startTestRedis();
});
afterAll(() => server.close());

function connect(): Redis {
  const client = new Redis({
    path: server.url.replace("redis+unix://", ""),
    maxRetriesPerRequest: 0,
    retryStrategy: null,
  });
  client.on("error", () => {});
  return client;
}

const thrown = (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(
    () => "nothing was thrown",
    (error: unknown) => error,
  );

describe("isQueueError", () => {
  test("is true for what Redis answers and for a client that was closed", async () => {
    const client = connect();
    expect(
      isQueueError(
        await thrown(client.eval("return redis.error_reply('OOM command not allowed')", 0)),
      ),
    ).toBe(true);
    client.disconnect();
    expect(isQueueError(await thrown(client.get("key")))).toBe(true);
  });

  test("is true for a server that is not there", async () => {
    const client = new Redis({
      path: `${server.directory}/none.sock`,
      maxRetriesPerRequest: 0,
      retryStrategy: null,
    });
    client.on("error", () => {});
    expect(isQueueError(await thrown(client.get("key")))).toBe(true);
    const refused = new Redis({
      port: 1,
      host: "127.0.0.1",
      maxRetriesPerRequest: 1,
      retryStrategy: () => 1,
    });
    const error = await new Promise((resolve) => refused.once("error", resolve));
    expect(isQueueError(error)).toBe(true);
    refused.disconnect();
  });

  test("is true for BullMQ's scripts: a job that is gone, a lock that is lost", async () => {
    const client = connect();
    const queue = new Queue("{lane}", { connection: client, prefix: uniquePrefix() });
    const job = await queue.add("job", {});
    expect(isQueueError(await thrown(job.moveToCompleted("", "no such token", false)))).toBe(true);
    await client.set(queue.toKey(`${job.id}:lock`), "token");
    expect(isQueueError(await thrown(job.moveToCompleted("", "token", false)))).toBe(true);
    await client.del(queue.toKey(`${job.id}:lock`));
    await queue.remove(job.id!);
    expect(isQueueError(await thrown(job.updateData({})))).toBe(true);
    await queue.close();
    client.disconnect();
  });

  test("is false for bugs and for failures that have names of their own", () => {
    const others = [
      new TypeError("x is undefined"),
      new ProviderError("rate_limited", "connection is slow", { code: "rate_limit_exceeded" }),
      new StorageError("disk full", {
        cause: Object.assign(new Error("full"), { code: "ENOSPC" }),
      }),
      Object.assign(new Error("no such file"), { code: "ENOENT" }),
      "text",
      undefined,
    ];
    expect(others.map(isQueueError)).toEqual(others.map(() => false));
  });
});
