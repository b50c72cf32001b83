import { spawn } from "node:child_process";
import { EventEmitter, once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Redis } from "ioredis";
import { afterEach, describe, expect, onTestFinished, test, vi } from "vitest";
import { parseRedisTarget } from "../../shared/redis-target.ts";
import { connectRedis, limitErrors, type RedisConnectionOptions } from "../../shared/redis.ts";
import { freePort, startTestRedis, type TestRedisOptions } from "../helpers/redis.ts";

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

  test("goes to a Redis Cluster", async () => {
    const port = await freePort();
    // A cluster of one node does not know its own address: told by others, it would be.
    const cluster = ["--cluster-enabled", "yes", "--cluster-announce-ip", "127.0.0.1"];
    await startServer({ arguments: ["--port", String(port), ...cluster] });
    await connect(`redis://127.0.0.1:${port}`).call("CLUSTER", "ADDSLOTSRANGE", "0", "16383");

    const client = connect(`redis+cluster://127.0.0.1:${port}`);
    await client.set("{lane}:a", "1");

    expect(await client.get("{lane}:a")).toBe("1");
  });

  test("finds the master through a Sentinel", async () => {
    const master = await startServer({ tcp: true });
    const sentinelUrl = await startSentinel(new URL(master.url).port);

    const client = connect(`${sentinelUrl}/main/2`);

    expect(await client.info("server")).toContain(`process_id:${master.pid}`);
    await client.set("here", "yes");
    expect(await client.info("keyspace")).toContain("db2:keys=1");
  });
});

async function startSentinel(masterPort: string): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), "imagemill-sentinel-"));
  const port = await freePort();
  const file = join(directory, "sentinel.conf");
  await writeFile(
    file,
    `port ${port}\nbind 127.0.0.1\nsentinel monitor main 127.0.0.1 ${masterPort} 1\n`,
  );
  const sentinel = spawn("redis-server", [file, "--sentinel"], { stdio: "ignore" });
  onTestFinished(async () => {
    sentinel.kill("SIGKILL");
    if (sentinel.exitCode === null && sentinel.signalCode === null) await once(sentinel, "exit");
    await rm(directory, { recursive: true });
  });
  await connect(`redis://127.0.0.1:${port}`).ping();
  return `redis+sentinel://127.0.0.1:${port}`;
}

function listen() {
  vi.useFakeTimers();
  const emitter = new EventEmitter();
  const lines: [string, number][] = [];
  const stop = limitErrors(emitter, (message, count) => lines.push([message, count]));
  return { emitter, lines, stop };
}

describe("errors of a connection", () => {
  afterEach(() => {
    vi.useRealTimers();
  });

  test("are reported once at the start of a burst, then as a count every 10 s", () => {
    const { emitter, lines } = listen();
    for (let i = 0; i < 5_000; i++) emitter.emit("error", new Error(`away ${i}`));
    expect(lines).toEqual([["away 0", 1]]);

    vi.advanceTimersByTime(10_000);
    expect(lines).toEqual([
      ["away 0", 1],
      ["away 4999", 4_999],
    ]);

    emitter.emit("error", new Error("still away"));
    expect(lines).toHaveLength(2);
    vi.advanceTimersByTime(10_000);
    expect(lines.at(-1)).toEqual(["still away", 1]);
  });

  test("are reported at once again after 10 s without one", () => {
    const { emitter, lines } = listen();
    emitter.emit("error", new Error("first"));
    vi.advanceTimersByTime(10_000);
    emitter.emit("error", new Error("second"));
    expect(lines).toEqual([
      ["first", 1],
      ["second", 1],
    ]);
  });

  test("that were only counted are reported when listening stops", () => {
    const { emitter, lines, stop } = listen();
    emitter.emit("error", new Error("first"));
    emitter.emit("error", new Error("second"));
    stop();
    expect(lines.at(-1)).toEqual(["second", 1]);
    expect(emitter.listenerCount("error")).toBe(0);
  });

  test("without a message are named by their parts", () => {
    const { emitter, lines } = listen();
    emitter.emit(
      "error",
      new AggregateError([new Error("refused ::1"), new Error("refused 127.0.0.1")]),
    );
    expect(lines).toEqual([["refused ::1; refused 127.0.0.1", 1]]);
  });
});
