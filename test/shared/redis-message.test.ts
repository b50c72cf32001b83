import { Cluster, Redis } from "ioredis";
import { expect, onTestFinished, test } from "vitest";
import { redisMessage } from "../../shared/redis-message.ts";
import { freePort } from "../../testing/free-port.ts";

/** The first error that a client tells of. */
async function firstError(client: Redis | Cluster): Promise<unknown> {
  onTestFinished(() => client.disconnect());
  return await new Promise((resolve) => client.on("error", resolve));
}

test("a Cluster and Sentinels that are away say what the last one asked said", async () => {
  const node = { host: "127.0.0.1", port: await freePort() };
  expect(redisMessage(await firstError(new Cluster([node])))).toMatch(
    /^no node of the Cluster answers; the last one: \S/,
  );
  const sentinels = new Redis({ sentinels: [node], name: "main" });
  expect(redisMessage(await firstError(sentinels))).toMatch(
    /^no Sentinel answers; the last one: \S/,
  );
});

test("an error without a text is called by its name", () => {
  expect(redisMessage(new TypeError(""))).toBe("TypeError");
});
