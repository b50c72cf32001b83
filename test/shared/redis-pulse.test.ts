import { describe, expect, onTestFinished, test } from "vitest";
import { connectRedis } from "../../shared/redis.ts";
import { RedisPulse } from "../../shared/redis-pulse.ts";
import { parseRedisTarget } from "../../shared/redis-target.ts";
import { startTestRedis } from "../helpers/redis.ts";
import { until } from "../helpers/until.ts";

async function openPulse() {
  const server = await startTestRedis({ tcp: true });
  onTestFinished(() => server.close());
  const client = connectRedis(parseRedisTarget(server.url), { role: "worker" });
  client.on("error", () => {});
  onTestFinished(() => client.disconnect());
  const pulse = new RedisPulse(client, "key");
  onTestFinished(() => pulse.stop());
  const told: string[] = [];
  let ticks = 0;
  pulse.start(
    (text) => told.push(text),
    () => (ticks += 1),
  );
  return { server, pulse, told, ticks: () => ticks };
}

describe("the pulse of a Redis", () => {
  test("beats while it answers", async () => {
    const { pulse, told, ticks } = await openPulse();
    await until(() => expect(ticks()).toBeGreaterThan(16));
    expect(pulse.silentMs).toBeLessThan(3_000);
    expect([pulse.trouble, told]).toEqual([undefined, []]);
  });

  test("is missed where it takes connections and says nothing, told once, and found again", async () => {
    const { server, pulse, told } = await openPulse();
    process.kill(server.pid, "SIGSTOP");
    await until(() => expect(pulse.silentMs).toBeGreaterThan(4_600));
    expect(told).toEqual(["Redis takes connections, but has not answered for 3 s"]);
    expect(pulse.trouble).toBe("Redis takes connections, but has not answered for 5 s");
    process.kill(server.pid, "SIGCONT");
    await until(() => expect(pulse.trouble).toBeUndefined());
    process.kill(server.pid, "SIGSTOP");
    await until(() => expect(told).toHaveLength(2));
  });

  test("is missed with what the connection says where it is away", async () => {
    const { server, pulse, told } = await openPulse();
    await server.kill();
    await until(() => expect(pulse.trouble).toMatch(/^Redis has not .*: .*REFUSED/));
    expect(told).toEqual([]);
    await server.start();
    await until(() => expect(pulse.trouble).toBeUndefined());
  });

  test("is not missed for the time in which this process stood still", async () => {
    const { pulse, ticks } = await openPulse();
    const before = ticks();
    await until(() => expect(ticks()).toBeGreaterThan(before));
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 6_000);
    await until(() => expect(ticks()).toBeGreaterThan(before + 1));
    expect(pulse.silentMs).toBeLessThan(2_000);
  });
});
