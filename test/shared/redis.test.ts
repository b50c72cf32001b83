import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { Redis } from "ioredis";
import { describe, expect, onTestFinished, test } from "vitest";
import { pipelineValues } from "../../shared/lane-state.ts";
import { parseRedisTarget } from "../../shared/redis-target.ts";
import { isQueueError } from "../../shared/queue-error.ts";
import { connectRedis, type RedisConnectionOptions } from "../../shared/redis.ts";
import { freePort } from "../../testing/free-port.ts";
import { startTestRedis, type TestRedisOptions } from "../helpers/redis.ts";

async function startServer(options?: TestRedisOptions) {
  const server = await startTestRedis(options);
  onTestFinished(() => server.close());
  return server;
}

function connect(url: string, options: RedisConnectionOptions = { role: "worker" }) {
  const client = connectRedis(parseRedisTarget(url), options);
  client.on("error", () => {});
  onTestFinished(() => client.disconnect());
  return client;
}

describe("a connection to Redis", () => {
  test("is made at the first command, over a socket and over TCP", async () => {
    for (const tcp of [false, true]) {
      const client = connect((await startServer({ tcp })).url);
      expect(client.status).toBe("wait");
      expect(await client.ping()).toBe("PONG");
    }
  });

  test("shows its role in CLIENT LIST", async () => {
    const { url } = await startServer();
    expect(await connect(url, { role: "producer" }).client("GETNAME")).toBe("imagemill-producer");
    expect(await connect(url, { role: "worker", name: "lane-7" }).client("GETNAME")).toBe("lane-7");
  });

  test("uses the database and the password of the URL", async () => {
    const { url } = await startServer({ tcp: true, arguments: ["--requirepass", "s3cret"] });
    const client = connect(`${url.replace("//", "//:s3cret@")}/5`);
    await client.set("here", "yes");
    expect(await client.info("keyspace")).toContain("db5:keys=1");
    await expect(connect(url, { role: "producer" }).ping()).rejects.toThrow("NOAUTH");
  });

  test("takes a changed password from its file when it reconnects, and so does a copy of it", async () => {
    const server = await startServer({ tcp: true, arguments: ["--requirepass", "old"] });
    const passwordFile = join(server.directory, "password");
    const write = (password: string) => writeFile(passwordFile, `${password}\n`);
    await write("old");
    const client = connectRedis(parseRedisTarget(server.url, { password: "old", passwordFile }), {
      role: "worker",
    });
    if (!(client instanceof Redis)) throw new Error("Expected a connection to one server");
    // BullMQ makes a second connection like this one.
    const clients = [client, client.duplicate()];
    for (const each of clients) {
      each.on("error", () => {});
      onTestFinished(() => each.disconnect());
      await each.ping();
    }
    const admin = connect(server.url.replace("//", "//:old@"));
    await admin.config("SET", "requirepass", "new");
    await write("new");
    await admin.call("CLIENT", "KILL", "TYPE", "normal");
    for (const each of clients) expect(await each.ping()).toBe("PONG");
  });

  test("of a worker lets commands wait until Redis is back", async () => {
    const server = await startServer();
    const client = connect(server.url);
    await client.ping();
    await server.kill();
    const answer = client.ping();
    await new Promise((resolve) => client.once("reconnecting", resolve));
    await server.start();
    expect(await answer).toBe("PONG");
  });

  test("of a producer fails a command while Redis is away, and works when it is back", async () => {
    const server = await startServer();
    const client = connect(server.url, { role: "producer" });
    await client.ping();
    await server.kill();
    await expect(client.ping()).rejects.toThrow(/max retries per request/);
    await server.start();
    await new Promise((resolve) => client.once("ready", resolve));
    expect(await client.ping()).toBe("PONG");
  });

  test("of a producer fails within seconds, as a queue does, while no Sentinel and no node answers", async () => {
    const nobody = `127.0.0.1:${await freePort()}`;
    const urls = [`redis+sentinel://${nobody}/main`, `redis+cluster://${nobody}`];
    const errors = await Promise.all(
      urls.flatMap((url) => {
        const client = connect(url, { role: "producer" });
        return [client.get("key"), client.pipeline().get("key").exec().then(pipelineValues)].map(
          (command) =>
            command.then(
              () => "an answer",
              (error: unknown) => error,
            ),
        );
      }),
    );
    expect(errors.filter((error) => !isQueueError(error))).toEqual([]);
  });
});
