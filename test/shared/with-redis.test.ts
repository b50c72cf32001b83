import { setTimeout as delay } from "node:timers/promises";
import { connect, type Socket } from "node:net";
import { expect, onTestFinished, test } from "vitest";
import { parseRedisTarget } from "../../shared/redis-target.ts";
import { withRedisAt } from "../../shared/with-redis.ts";
import { startTestRedis } from "../helpers/redis.ts";
import { openSilentServer } from "../helpers/silent-server.ts";

/** Half a minute is what a connection waits by itself. */
const limitMs = 15_000;

async function messageAndTime(work: Promise<unknown>): Promise<string> {
  const before = performance.now();
  const message = await work.then(
    () => "no error",
    (error: Error) => `${error.name}: ${error.message}`,
  );
  expect(performance.now() - before).toBeLessThan(limitMs);
  return message;
}

async function startServer(...settings: string[]) {
  const server = await startTestRedis({ tcp: true, arguments: settings });
  onTestFinished(() => server.close());
  return { server, target: parseRedisTarget(server.url) };
}

test("a Redis that takes connections and says nothing is given up after five seconds, by its address", async () => {
  await using server = await openSilentServer();
  const url = `redis://127.0.0.1:${server.port}/0`;
  expect(
    await messageAndTime(withRedisAt(parseRedisTarget(url), (redis) => redis.hgetall("key"))),
  ).toBe(`UsageError: Redis at ${url} takes connections, but has not answered for 5 s`);
}, 60_000);

test("a Redis that falls silent in the middle of the work is given up, whatever the work waits for", async () => {
  const { server, target } = await startServer();
  const work = withRedisAt(target, async (redis) => {
    await redis.ping();
    process.kill(server.pid, "SIGSTOP");
    await redis.ping().catch(() => new Promise(() => undefined));
  });
  expect(await messageAndTime(work)).toMatch(/^UsageError: .* has not answered for 5 s$/);
}, 60_000);

test("an address from which nothing comes back is not said to take connections", async () => {
  const { server, target } = await startServer("--tcp-backlog", "1");
  process.kill(server.pid, "SIGSTOP");
  const sockets: Socket[] = [];
  onTestFinished(() => sockets.forEach((socket) => socket.destroy()));
  // Once the queue of connections is full, the system lets further ones wait.
  for (let taken = true; taken;) {
    const socket = connect(Number(new URL(server.url).port), "127.0.0.1");
    sockets.push(socket);
    taken = await new Promise<boolean>((resolve) => {
      socket.on("connect", () => resolve(true)).on("error", () => undefined);
      socket.setTimeout(1_000, () => resolve(false));
    });
  }
  expect(await messageAndTime(withRedisAt(target, (redis) => redis.ping()))).toMatch(
    /^UsageError: Redis at \S+ (has not answered for 5 s: (still connecting|connect ETIMEDOUT))$/,
  );
}, 60_000);

test("work that takes longer than that is not cut off while Redis answers", async () => {
  const { target } = await startServer();
  const work = withRedisAt(target, async (redis) => {
    for (const end = performance.now() + 6_000; performance.now() < end;) {
      await redis.ping();
      await delay(100);
    }
    return await redis.ping();
  });
  expect(await work).toBe("PONG");
}, 60_000);
