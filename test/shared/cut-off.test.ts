import { Redis } from "ioredis";
import { describe, expect, onTestFinished, test } from "vitest";
import { cutOff } from "../../shared/cut-off.ts";
import { isQueueError } from "../../shared/queue-error.ts";
import { connectRedis, type RedisClient, type RedisConnectionOptions } from "../../shared/redis.ts";
import { parseRedisTarget } from "../../shared/redis-target.ts";
import { startTestRedis, type TestRedis } from "../helpers/redis.ts";
import { clusterNode } from "../helpers/redis-cluster.ts";
import { until } from "../helpers/until.ts";

async function startServer(...settings: string[]): Promise<TestRedis> {
  const server = await startTestRedis({ tcp: true, arguments: settings });
  onTestFinished(() => server.close());
  return server;
}

function connect(url: string, role: RedisConnectionOptions["role"]): RedisClient {
  const client = connectRedis(parseRedisTarget(url), { role });
  client.on("error", () => {});
  onTestFinished(() => client.disconnect());
  return client;
}

/** Waits for an event, whatever errors come before it. */
function heard(client: RedisClient, event: string): Promise<void> {
  return new Promise((resolve) => client.once(event, () => resolve()));
}

/** Cuts a client off. Gives what waits, and what comes later, where it is not refused at once as by a queue that is gone. */
async function leftOfCutOff(client: RedisClient, waiting: Promise<unknown>[]): Promise<unknown[]> {
  const ends = Promise.allSettled(waiting);
  const before = performance.now();
  cutOff(client);
  const all = [...(await ends), ...(await Promise.allSettled([client.get("key")]))];
  expect(performance.now() - before).toBeLessThan(1_000);
  return all.filter((end) => end.status === "fulfilled" || !isQueueError(end.reason));
}

describe.each(["worker", "producer"] as const)("a client of a %s that is cut off", (role) => {
  test("waits no longer for a Redis that is frozen", async () => {
    const server = await startServer();
    const client = connect(server.url, role);
    await client.ping();
    process.kill(server.pid, "SIGSTOP");
    expect(
      await leftOfCutOff(client, [
        client.get("key"),
        client.xread("BLOCK", 0, "STREAMS", "s", "0"),
      ]),
    ).toEqual([]);
  });

  test("waits no longer for a frozen Redis to greet it", async () => {
    const server = await startServer();
    process.kill(server.pid, "SIGSTOP");
    const client = connect(server.url, role);
    const waiting = client.get("key");
    await heard(client, "connect");
    expect(await leftOfCutOff(client, [waiting])).toEqual([]);
  });

  test("does not try to connect to a Redis that is away again", async () => {
    const server = await startServer();
    const client = connect(server.url, role);
    await client.ping();
    await server.kill();
    const waiting = client.get("key");
    await heard(client, "reconnecting");
    expect(await leftOfCutOff(client, [waiting])).toEqual([]);
    expect(client.status).not.toBe("connecting");
  });

  test("waits no longer for a node of a Cluster", async () => {
    const { settings } = await clusterNode();
    const server = await startServer(...settings);
    const admin = new Redis(server.url);
    onTestFinished(() => admin.disconnect());
    await admin.cluster("ADDSLOTSRANGE", 0, 16_383);
    const client = connect(server.url.replace("redis:", "redis+cluster:"), role);
    await until(async () => expect(await client.get("key")).toBeNull());
    process.kill(server.pid, "SIGSTOP");
    expect(await leftOfCutOff(client, [client.get("key"), client.get("other")])).toEqual([]);
  });
});
