import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { readSteering } from "../../shared/steering.ts";
import { startTestRedis, type TestRedis } from "../helpers/redis.ts";
import { monitorToken, openWatchedMill } from "../helpers/watched-mill.ts";
import { until } from "../helpers/until.ts";

let server: TestRedis;
beforeAll(async () => {
  server = await startTestRedis();
});
afterAll(() => server.close());

describe("an action", () => {
  test("pauses a run, and lets it go on", async () => {
    await using watched = await openWatchedMill(server, {
      prompts: 400,
      simulator: { latencyMs: 60 },
    });
    const { mill } = watched;
    const run = await mill.open();
    await mill.work();
    const page = await watched.open(`/runs/${run.id}`);
    await until(() => expect(mill.simulator.ledger.calls).toBeGreaterThan(3));
    await page.getByRole("button", { name: "Pause" }).click();
    const badge = page.locator(".head .badge");
    await until(async () => expect(await badge.textContent()).toBe("paused"));
    expect(await readSteering(mill.out)).toMatchObject({ state: "paused" });
    await until(() => expect(mill.simulator.ledger.inFlight).toBe(0));
    const paused = mill.simulator.ledger.calls;
    await page.getByRole("button", { name: "Unpause" }).click();
    await until(async () => expect(await badge.textContent()).toBe("running"));
    await until(() => expect(mill.simulator.ledger.calls).toBeGreaterThan(paused));
    expect(await readSteering(mill.out)).toBeUndefined();
    expect(watched.complaints).toEqual([]);
  });

  test("cancels a run once that was asked twice", async () => {
    await using watched = await openWatchedMill(server, {
      prompts: 2_000,
      simulator: { latencyMs: 30 },
    });
    const run = await watched.mill.open();
    await watched.mill.work();
    const page = await watched.open(`/runs/${run.id}`);
    await page.getByRole("link", { name: "Cancel…" }).click();
    await page.getByRole("button", { name: "Cancel the run" }).click();
    expect(await run.finished).toMatchObject({ state: "cancelled" });
    await until(async () =>
      expect(await page.locator(".head .badge").textContent()).toBe("cancelled"),
    );
    expect(watched.complaints).toEqual([]);
  });

  test("leaves a run alone that is complete, also from a page that was loaded before", async () => {
    await using watched = await openWatchedMill(server, { prompts: 1 });
    const { mill, monitor } = watched;
    const run = await mill.open();
    await mill.work();
    await run.finished;
    const headers = { authorization: `Bearer ${monitorToken}` };
    const path = `${monitor.url}/runs/${run.id}`;
    await until(async () => expect(await (await fetch(path)).text()).toContain("is-completed"));
    await fetch(`${path}/cancel`, { method: "POST", headers });
    expect(await readSteering(mill.out)).toBeUndefined();
  });

  test("does not pause a run that was cancelled meanwhile, and says why", async () => {
    await using watched = await openWatchedMill(server, { prompts: 5 });
    const { mill, monitor } = watched;
    const run = await mill.open();
    const post = async (path: string) =>
      await fetch(`${monitor.url}/runs/${run.id}/${path}`, {
        method: "POST",
        headers: { authorization: `Bearer ${monitorToken}` },
        redirect: "manual",
      });
    expect((await post("cancel")).status).toBe(303);
    const paused = await post("pause");
    expect(paused.status).toBe(409);
    expect(await paused.text()).toContain("is cancelled: there is nothing to pause");
    expect(await readSteering(mill.out)).toMatchObject({ state: "cancelled" });
  });

  test("pauses a lane, which says why, and lets it go on", async () => {
    await using watched = await openWatchedMill(server, { prompts: 5 });
    await watched.mill.open();
    const page = await watched.open("/lanes");
    await page.getByRole("button", { name: "Pause lane" }).click();
    await page.getByText("paused on the monitor's page").waitFor();
    expect(await watched.mill.redis.hgetall(watched.mill.keys.pause)).toMatchObject({
      kind: "person",
    });
    await page.getByRole("button", { name: "Unpause" }).click();
    await until(async () =>
      expect(await watched.mill.redis.hgetall(watched.mill.keys.pause)).toEqual({}),
    );
    expect(watched.complaints).toEqual([]);
  });

  test("is refused without the token, with a wrong one, and from another site's page", async () => {
    await using watched = await openWatchedMill(server, { prompts: 5 });
    const { monitor, mill } = watched;
    const run = await mill.open();
    const { url } = monitor;
    const post = async (headers: Record<string, string>, body = "") => {
      const response = await fetch(`${url}/runs/${run.id}/pause`, {
        method: "POST",
        headers: { "content-type": "application/x-www-form-urlencoded", ...headers },
        body,
        redirect: "manual",
      });
      return response.status;
    };
    const signIn = await fetch(monitor.signInUrl, { redirect: "manual" });
    const cookie = signIn.headers.get("set-cookie")!.split(";")[0]!;
    const shown = await (await fetch(`${url}/runs/${run.id}`, { headers: { cookie } })).text();
    const token = /name="token"\s+value="([^"]+)"/.exec(shown)![1]!;
    const body = `token=${encodeURIComponent(token)}`;
    expect(signIn.headers.get("set-cookie")).toMatch(/HttpOnly; SameSite=Strict/);
    expect(await post({})).toBe(403);
    expect(await post({}, body)).toBe(403);
    expect(await post({ cookie })).toBe(403);
    expect(await post({ cookie }, "token=wrong")).toBe(403);
    expect(await post({ cookie, origin: "http://evil.example" }, body)).toBe(403);
    expect(await post({ authorization: "Bearer wrong" })).toBe(403);
    expect(await readSteering(mill.out)).toBeUndefined();
    expect(await post({ cookie, origin: url }, body)).toBe(303);
    expect(await readSteering(mill.out)).toMatchObject({ state: "paused" });
    expect(await post({ authorization: `Bearer ${monitorToken}` })).toBe(303);
  });
});

describe("a reader", () => {
  test("who is not signed in sees no button", async () => {
    await using watched = await openWatchedMill(server, { prompts: 5 });
    const run = await watched.mill.open();
    const page = await watched.open(`/runs/${run.id}`, { isSignedIn: false });
    await page.getByText("running").waitFor();
    expect(await page.getByRole("button").count()).toBe(0);
    expect(await page.getByRole("link", { name: "Cancel…" }).count()).toBe(0);
  });

  test("sees the queues, without a network and without a way to change them", async () => {
    await using watched = await openWatchedMill(server, { prompts: 5 });
    await watched.mill.open();
    const page = await watched.open("/queues");
    await page
      .getByText(/imagemill-sim-1/)
      .first()
      .waitFor();
    expect(watched.complaints).toEqual([]);
    const put = await fetch(`${watched.monitor.url}/queues/api/queues/any/pause`, {
      method: "PUT",
    });
    expect(put.status).toBe(405);
  });
});
