import { EventEmitter, once } from "node:events";
import { afterEach, beforeEach, expect, onTestFinished, test, vi } from "vitest";
import { connectRedis } from "../../shared/redis.ts";
import { parseRedisTarget } from "../../shared/redis-target.ts";
import { Continuity } from "../../worker/continuity.ts";
import { startTestRedis } from "../helpers/redis.ts";

beforeEach(() => vi.useFakeTimers({ toFake: ["Date"] }));
afterEach(() => vi.useRealTimers());

async function watchServer(isOnlyWorker = false) {
  const server = await startTestRedis();
  onTestFinished(() => server.close());
  const client = connectRedis(parseRedisTarget(server.url), { role: "worker" });
  client.on("error", () => {});
  onTestFinished(() => client.disconnect());
  await client.ping();
  const returns = new EventEmitter();
  const continuity = new Continuity(client, isOnlyWorker, () => returns.emit("return"));
  continuity.heard();
  onTestFinished(() => continuity.stop());
  return { server, continuity, returns };
}

const hourMs = 3_600_000;

test("jobs that were there before the worker may have been done; newer ones not", async () => {
  const { continuity } = await watchServer();
  const now = Date.now();
  expect(continuity.mayHaveGoneBack(now - 1)).toBe(true);
  expect(continuity.mayHaveGoneBack(now + 1)).toBe(false);
  expect(continuity.hasReturnedSince(now - 1)).toBe(false);
});

test("of a worker that is alone nothing was done before", async () => {
  const { continuity } = await watchServer(true);
  expect(continuity.mayHaveGoneBack(Date.now() - hourMs)).toBe(false);
  expect(continuity.connectedAt).toBe(-Infinity);
});

test("after an outage all that was added before may have been done, by clocks that are a minute apart, too", async () => {
  const { server, continuity, returns } = await watchServer(true);
  const returned = once(returns, "return");
  await server.kill();
  await server.start();
  await returned;
  const now = Date.now();
  expect(continuity.hasReturnedSince(now - hourMs)).toBe(true);
  expect(continuity.hasReturnedSince(now + 59_000)).toBe(true);
  expect(continuity.hasReturnedSince(now + 61_000)).toBe(false);
});

test("a silence of more than 5 s counts as an outage, a shorter one does not", async () => {
  const { continuity } = await watchServer();
  vi.advanceTimersByTime(5_000);
  continuity.heard();
  expect(continuity.hasReturnedSince(0)).toBe(false);
  vi.advanceTimersByTime(5_001);
  continuity.heard();
  expect(continuity.hasReturnedSince(0)).toBe(true);
});
