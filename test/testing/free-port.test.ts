import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { freePort } from "../../testing/free-port.ts";

test("a free port is none that the system gives to somebody's connection before it is listened on", async () => {
  const range = readFileSync("/proc/sys/net/ipv4/ip_local_port_range", "utf8");
  const [first] = range.split("\t").map(Number);
  const ports = await Promise.all(Array.from({ length: 20 }, () => freePort()));
  expect(Math.max(...ports)).toBeLessThan(first!);
});
