import { spawn } from "node:child_process";
import { once } from "node:events";
import { cp, mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { setTimeout as delay } from "node:timers/promises";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { z } from "zod";
import { type EmbeddedRedis, startEmbeddedRedis } from "../../cli/embedded-redis.ts";
import { askRedis } from "../../cli/redis-ask.ts";
import { parseRedisTarget } from "../../shared/redis-target.ts";
import { connectRedis } from "../../shared/redis.ts";

let directory: string;
let servers: EmbeddedRedis[];

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "imagemill-embedded-"));
  servers = [];
});

afterEach(async () => {
  await Promise.all(servers.map((server) => server.close()));
  await rm(directory, { recursive: true, force: true });
});

async function start(stateDirectory = join(directory, ".imagemill")): Promise<EmbeddedRedis> {
  const server = await startEmbeddedRedis(stateDirectory);
  servers.push(server);
  return server;
}

function socketOf(server: EmbeddedRedis): string {
  const target = parseRedisTarget(server.url);
  if (target.kind !== "socket") throw new Error(`Expected the URL of a socket, got ${server.url}`);
  return target.path;
}

function ask(server: EmbeddedRedis, command: string): Promise<string> {
  return askRedis(socketOf(server), command, 5_000);
}

async function until(isTrue: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await isTrue())) await delay(5);
}

/** A zombie counts as gone: in a container nobody may collect it. */
async function isAlive(pid: number): Promise<boolean> {
  const status = await readFile(`/proc/${pid}/stat`, "utf8").catch(() => undefined);
  return status !== undefined && !/\) Z /.test(status);
}

/** Starts an embedded Redis in a process of its own, as `imagemill run` does, and returns both process ids. */
async function startInChild(stateDirectory: string) {
  const program = `
    const { startEmbeddedRedis } = await import(process.argv[1]);
    const server = await startEmbeddedRedis(process.argv[2]);
    console.log(JSON.stringify({ pid: server.pid, url: server.url }));
    setInterval(() => {}, 60_000);`;
  const module = new URL("../../cli/embedded-redis.ts", import.meta.url).href;
  const child = spawn(
    process.execPath,
    ["--input-type=module", "-e", program, module, stateDirectory],
    {
      stdio: ["ignore", "pipe", "inherit"],
    },
  );
  const [line] = await once(createInterface(child.stdout), "line");
  return { child, ...z.object({ pid: z.int(), url: z.string() }).parse(JSON.parse(String(line))) };
}

test("a full disk is told as storage in trouble, which passes, not as a fault of the server", async () => {
  const redis = join(directory, "redis");
  await mkdir(redis);
  await symlink("/dev/full", join(redis, "redis.json"));
  await expect(start(directory)).rejects.toMatchObject({
    name: "StorageError",
    message: expect.stringMatching(/cannot start in .*ENOSPC/),
  });
});

describe("an embedded Redis", () => {
  test("keeps its data from one run to the next", async () => {
    const first = await start();
    await ask(first, "SET kept yes");
    await first.close();
    expect(await isAlive(first.pid)).toBe(false);

    const second = await start();
    expect(await ask(second, "GET kept")).toBe("$3\r\nyes\r\n");
  });

  test("comes back with its data, at the same address, after kill -9 of the server", async () => {
    const server = await start();
    const client = connectRedis(parseRedisTarget(server.url), { role: "worker" });
    client.on("error", () => {});
    await client.set("kept", "yes");

    process.kill(server.pid, "SIGKILL");
    await until(async () => !(await isAlive(server.pid)));

    expect(await client.get("kept")).toBe("yes");
    client.disconnect();
  });

  test("that was frozen is ended without waiting for its time limit, and has written what it took", async () => {
    const server = await start();
    await ask(server, "SET kept yes");
    process.kill(server.pid, "SIGSTOP");
    const before = performance.now();
    await server.close();
    expect(performance.now() - before).toBeLessThan(5_000);
    expect(await isAlive(server.pid)).toBe(false);
    expect(await ask(await start(), "GET kept")).toBe("$3\r\nyes\r\n");
  });

  test("that was frozen by the time its process died is ended by the next run", async () => {
    const { child, pid } = await startInChild(directory);
    process.kill(pid, "SIGSTOP");
    child.kill("SIGKILL");
    await once(child, "exit");
    const before = performance.now();
    const next = await start(directory);
    expect(performance.now() - before).toBeLessThan(6_000);
    expect(next.pid).not.toBe(pid);
    expect(await isAlive(pid)).toBe(false);
  });

  test("ends when the process that started it is killed with -9", async () => {
    const { child, pid } = await startInChild(directory);
    expect(await isAlive(pid)).toBe(true);

    child.kill("SIGKILL");

    await until(async () => !(await isAlive(pid)));
  });

  test("ends at its close though its guard was killed with -9", async () => {
    const server = await start();
    const record = await readFile(join(directory, ".imagemill", "redis", "redis.json"), "utf8");
    const { group } = z.object({ group: z.number() }).parse(JSON.parse(record));
    process.kill(group, "SIGKILL");
    await until(async () => !(await isAlive(group)));
    expect(await ask(server, "PING")).toMatch(/PONG/);
    await server.close();
    expect(await isAlive(server.pid)).toBe(false);
  });

  test("does not keep a process alive that has nothing else to do", async () => {
    const program = `
      const { startEmbeddedRedis } = await import(process.argv[1]);
      console.log((await startEmbeddedRedis(process.argv[2])).pid);`;
    const module = new URL("../../cli/embedded-redis.ts", import.meta.url).href;
    const child = spawn(
      process.execPath,
      ["--input-type=module", "-e", program, module, directory],
      {
        stdio: ["ignore", "pipe", "inherit"],
      },
    );
    const [line] = await once(createInterface(child.stdout), "line");
    await once(child, "close");
    await until(async () => !(await isAlive(Number(line))));
    expect(child.exitCode).toBe(0);
  });

  test("starts again with the data of a run that crashed a moment ago", async () => {
    const { child, pid, url } = await startInChild(directory);
    await askRedis(new URL(url).pathname, "SET kept yes", 5_000);
    child.kill("SIGKILL");

    const server = await start(directory);

    expect(server.pid).not.toBe(pid);
    expect(await ask(server, "GET kept")).toBe("$3\r\nyes\r\n");
  });

  test("ends a server that is still alive in its directory before it starts one", async () => {
    const leftover = await start();
    await ask(leftover, "SET kept yes");

    const server = await start();

    expect(await isAlive(leftover.pid)).toBe(false);
    expect(await ask(server, "GET kept")).toBe("$3\r\nyes\r\n");
  });

  test("of a copied run directory leaves the original's server alone", async () => {
    const original = await start(join(directory, "original"));
    await cp(join(directory, "original"), join(directory, "copy"), {
      recursive: true,
      filter: (path) => !path.endsWith(".sock"),
    });

    const copy = await start(join(directory, "copy"));

    expect(copy.pid).not.toBe(original.pid);
    expect(await ask(original, "PING")).toBe("+PONG\r\n");
  });

  test("has a socket path below 100 bytes in a directory with a long name", async () => {
    const long = join(directory, "é".repeat(60), "x".repeat(60));
    const server = await start(long);

    expect(Buffer.byteLength(socketOf(server))).toBeLessThan(100);
    expect(await ask(server, "PING")).toBe("+PONG\r\n");
    expect(await readdir(join(long, "redis"))).toContain("appendonlydir");

    await server.close();
    await expect(readdir(join(socketOf(server), ".."))).rejects.toThrow("ENOENT");
  });

  test("takes a directory with spaces, quotes and percent signs in its name", async () => {
    const server = await start(join(directory, `a "b" 100% ?#'c`));
    const client = connectRedis(parseRedisTarget(server.url), { role: "producer" });
    expect(await client.ping()).toBe("PONG");
    client.disconnect();
  });

  test("shares nothing with one in another directory", async () => {
    const [a, b] = await Promise.all([start(join(directory, "a")), start(join(directory, "b"))]);
    await ask(a, "SET who a");
    expect(await ask(b, "GET who")).toBe("$-1\r\n");
  });

  test("loses only the torn end of an append-only file", async () => {
    const first = await start();
    await ask(first, "SET kept yes");
    await first.close();
    await appendToData("*3\r\n$3\r\nSET\r\n$4\r\nto");

    expect(await ask(await start(), "GET kept")).toBe("$3\r\nyes\r\n");
  });

  test("starts empty, and keeps the old files, where its data cannot be read", async () => {
    const first = await start();
    await ask(first, "SET kept yes");
    await first.close();
    await appendToData("this was never Redis\r\n");

    const second = await start();

    expect(await ask(second, "GET kept")).toBe("$-1\r\n");
    const names = await readdir(join(directory, ".imagemill", "redis"));
    expect(names).toContainEqual(expect.stringMatching(/^appendonlydir\.broken-\d+$/));
  });

  test("never evicts, and listens on no TCP port", async () => {
    const server = await start();
    expect(await ask(server, "INFO memory")).toContain("maxmemory_policy:noeviction");
    expect(await ask(server, "INFO server")).toContain("tcp_port:0");
  });

  test("that cannot start says why, with the end of its log", async () => {
    await mkdir(join(directory, "redis"), { recursive: true });
    await writeFile(join(directory, "redis", "appendonlydir"), "a file where a folder belongs");
    await expect(start(directory)).rejects.toThrow(
      /redis-server to start in .*; it did not.*\n.*append-only dir/s,
    );
  });

  test("without a server on PATH names what to install", async () => {
    await expect(startEmbeddedRedis(directory, { PATH: directory })).rejects.toThrow(
      /Expected redis-server or valkey-server on PATH.*apt-get install redis-server.*REDIS_URL/,
    );
  });
});

async function appendToData(text: string): Promise<void> {
  const data = join(directory, ".imagemill", "redis", "appendonlydir");
  const file = (await readdir(data)).find((name) => name.endsWith(".incr.aof"));
  await writeFile(join(data, file!), text, { flag: "a" });
}
