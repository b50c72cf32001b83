import { expect, test } from "vitest";
import { parseMetrics, valueOf } from "../helpers/parse-metrics.ts";
import { startTestRedis } from "../helpers/redis.ts";
import { monitorToken, openWatchedMill } from "../helpers/watched-mill.ts";
import { until } from "../helpers/until.ts";

test("a page whose second question Redis refuses says so with 503, and is there again once it answers", async () => {
  await using server = await startTestRedis();
  await using watched = await openWatchedMill(server, { prompts: 5 });
  const { mill, monitor } = watched;
  await mill.open();
  const get = async (path: string) => {
    const response = await fetch(monitor.url + path);
    return { status: response.status, text: await response.text() };
  };
  const metrics = async () => parseMetrics((await get("/metrics")).text);
  await until(async () =>
    expect(valueOf(await metrics(), "imagemill_jobs", { state: "wait" })).toBe(5),
  );
  expect((await get("/retries")).status).toBe(200);
  expect(valueOf(await metrics(), "imagemill_redis_up")).toBe(1);
  // What a lane is doing is read without it, what of its jobs was tried before is not.
  await mill.redis.acl("SETUSER", "default", "-hmget");
  await until(async () => expect((await get("/retries")).status).toBe(503));
  const { text } = await get("/retries");
  expect(text).toContain("Redis cannot be read");
  expect(text).toMatch(/did not answer what was asked: .*no permissions.*hmget/s);
  expect((await get("/live/retries")).status).toBe(503);
  expect(valueOf(await metrics(), "imagemill_redis_up")).toBe(0);
  expect((await get("/metrics")).text).not.toContain("imagemill_jobs{");
  await mill.redis.acl("SETUSER", "default", "+hmget");
  await until(async () => expect((await get("/retries")).status).toBe(200));
  expect(valueOf(await metrics(), "imagemill_redis_up")).toBe(1);
});

test("a monitor whose Redis dies and comes back answers no request as if it were broken itself", async () => {
  await using server = await startTestRedis();
  await using watched = await openWatchedMill(server, { prompts: 5 });
  const { mill, monitor } = watched;
  const run = await mill.open();
  const paths = ["/", "/lanes", "/retries", `/runs/${run.id}`, `/runs/${run.id}/prompts/0`];
  const statuses = () =>
    Promise.all(
      [...paths, "/live/retries", "/metrics", "/queues/api/queues"].map(
        async (path) => (await fetch(monitor.url + path)).status,
      ),
    );
  const page = await watched.open("/retries");
  const live = page.locator("#live-state");
  await until(async () => expect(await live.textContent()).toBe("live"));
  await until(async () => expect(new Set(await statuses())).toEqual(new Set([200])));
  await server.kill();
  for (const status of await statuses()) expect([200, 503]).toContain(status);
  await page.getByText("cannot be reached").first().waitFor();
  const pause = await fetch(`${monitor.url}/lanes/pause`, {
    method: "POST",
    headers: { authorization: `Bearer ${monitorToken}` },
    body: new URLSearchParams({ lane: "any" }),
  });
  expect(pause.status).toBe(503);
  await server.start();
  await page.getByText("cannot be reached").first().waitFor({ state: "detached" });
  expect(await live.textContent()).toBe("live");
  await until(async () => expect(new Set(await statuses())).toEqual(new Set([200])));
});

test("a monitor whose Redis says nothing answers within seconds, and shows what there is once it speaks", async () => {
  await using server = await startTestRedis({ tcp: true });
  await using watched = await openWatchedMill(server, { prompts: 5 });
  const { mill, monitor } = watched;
  const run = await mill.open();
  const paths = ["/", "/lanes", "/retries", `/runs/${run.id}`, `/runs/${run.id}/prompts/0`];
  const statuses = () =>
    Promise.all(
      [...paths, "/metrics"].map(async (path) => (await fetch(monitor.url + path)).status),
    );
  await until(async () => expect(new Set(await statuses())).toEqual(new Set([200])));
  process.kill(server.pid, "SIGSTOP");
  using thawed = new DisposableStack();
  thawed.defer(() => process.kill(server.pid, "SIGCONT"));
  const before = performance.now();
  await until(async () =>
    expect(await (await fetch(`${monitor.url}/lanes`)).text()).toContain("cannot be reached"),
  );
  for (const status of await statuses()) expect([200, 503]).toContain(status);
  expect(performance.now() - before).toBeLessThan(25_000);
  thawed.dispose();
  await until(async () => expect(new Set(await statuses())).toEqual(new Set([200])));
}, 120_000);
