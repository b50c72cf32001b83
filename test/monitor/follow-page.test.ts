import { rmSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { startTestRedis, type TestRedis } from "../helpers/redis.ts";
import { openWatchedMill } from "../helpers/watched-mill.ts";
import { until } from "../helpers/until.ts";

let server: TestRedis;
beforeAll(async () => {
  server = await startTestRedis();
});
afterAll(() => server.close());

describe("a page that is looked at", () => {
  test("asks for what is new where a proxy lets no events through", async () => {
    await using watched = await openWatchedMill(server, { prompts: 5 });
    const run = await watched.mill.open();
    const page = await watched.open("/");
    let refused = 0;
    await page.route("**/live/**", async (route) => {
      if (!route.request().headers()["accept"]?.includes("text/event-stream"))
        return await route.continue();
      refused += 1;
      return await route.fulfill({ status: 502, body: "no events here" });
    });
    await page.goto(`${watched.monitor.url}/runs/${run.id}`);
    await watched.mill.work();
    await run.finished;
    const badge = page.locator(".head .badge");
    await until(async () => expect(await badge.textContent()).toBe("complete"));
    expect(await page.locator("#live-state").textContent()).toBe("live");
    expect(refused).toBe(1);
    expect(watched.complaints.filter((one) => !one.includes("502"))).toEqual([]);
  });

  test("says so when its run is removed", async () => {
    await using watched = await openWatchedMill(server, { prompts: 2 });
    const run = await watched.mill.open();
    await watched.mill.work();
    await run.finished;
    const page = await watched.open(`/runs/${run.id}`);
    await page.getByText("live", { exact: true }).waitFor();
    rmSync(watched.mill.out, { recursive: true, force: true });
    const state = page.locator("#live-state");
    await until(async () => expect(await state.textContent()).toBe("no longer there"));
  });
});
