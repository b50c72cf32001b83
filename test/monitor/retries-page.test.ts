import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { startTestRedis, type TestRedis } from "../helpers/redis.ts";
import { promptOfRow } from "../helpers/stage.ts";
import { openWatchedMill } from "../helpers/watched-mill.ts";
import { until } from "../helpers/until.ts";

let server: TestRedis;
beforeAll(async () => {
  server = await startTestRedis();
});
afterAll(() => server.close());

const secondsOf = (text: string | null) => Number(/in (\d+) s/.exec(text ?? "")?.[1] ?? NaN);

describe("the page of retries", () => {
  test("counts down to a failing prompt's next attempt, then shows the next one", async () => {
    const fault = { match: promptOfRow(0), fault: "error500" as const };
    await using watched = await openWatchedMill(server, {
      prompts: 2,
      simulator: { promptFaults: [fault] },
    });
    const run = await watched.mill.open({}, { attempts: 9 });
    await watched.mill.work();
    const page = await watched.open(`/runs/${run.id}/retries`);
    const row = page.getByRole("row", { name: promptOfRow(0) });
    const attempt = () => row.locator(".attempt").textContent();
    // Long enough to be seen going down, however slow the machine.
    const left = async () => secondsOf(await row.locator("time").textContent({ timeout: 500 }));
    await until(async () => expect(await left()).toBeGreaterThanOrEqual(3));
    const [number, first] = [Number.parseInt((await attempt())!, 10), await left()];
    expect(await row.textContent()).toMatch(/of 9.*unavailable.*HTTP 500/s);
    await until(async () => expect(await left()).toBeLessThan(first));
    await until(async () =>
      expect(Number.parseInt((await attempt())!, 10)).toBeGreaterThan(number),
    );
    expect(watched.complaints).toEqual([]);
  });

  test("brings forward all retries that match a filter, having said how many", async () => {
    const odd = { match: promptOfRow(3), fault: "notAnImage" as const };
    const down = [0, 1, 2].map((row) => ({ match: promptOfRow(row), fault: "error500" as const }));
    await using watched = await openWatchedMill(server, {
      prompts: 4,
      simulator: { promptFaults: [...down, odd] },
    });
    const { mill } = watched;
    const run = await mill.open({}, { attempts: 9 });
    await mill.work();
    const calls = (row: number) => mill.simulator.ledger.callsOf(promptOfRow(row)).length;
    // The fifth attempt is due only after four seconds at least: time enough to press a button.
    await until(() => expect(Math.min(calls(0), calls(1), calls(2))).toBe(4));
    const page = await watched.open(`/runs/${run.id}/retries`);
    await page.getByRole("link", { name: /had an error while processing/ }).click();
    const button = page.getByRole("button", { name: /^Try \d+ retries of this group now$/ });
    await until(async () => expect(await button.textContent()).toContain("Try 3 retries"));
    const before = [0, 1, 2].map(calls);
    await button.click();
    await page.getByText(/^\d retr.* brought forward/).waitFor();
    await until(() => {
      for (const [row, count] of before.entries()) expect(calls(row)).toBeGreaterThan(count);
    });
    expect(watched.complaints).toEqual([]);
  });
});
