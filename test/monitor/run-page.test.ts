import type { Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { readJournalOf } from "../helpers/run-files.ts";
import { startTestRedis, type TestRedis } from "../helpers/redis.ts";
import { openWatchedMill } from "../helpers/watched-mill.ts";
import { promptOfRow } from "../helpers/stage.ts";
import { until } from "../helpers/until.ts";

let server: TestRedis;
beforeAll(async () => {
  server = await startTestRedis();
});
afterAll(() => server.close());

/** The figures of a page by their names. */
async function figuresOf(page: Page): Promise<Record<string, string>> {
  const pairs = await page
    .locator("dl.figures > div")
    .evaluateAll((all) =>
      all.map((one) => [
        one.querySelector("dt")!.textContent,
        one.querySelector("dd")!.textContent,
      ]),
    );
  return Object.fromEntries(pairs);
}

describe("the page of a run", () => {
  test("grows without a reload, and ends with the journal's numbers", async () => {
    const faults = [
      { match: promptOfRow(2), fault: "error500" as const, times: 1 },
      { match: promptOfRow(5), fault: "notJson" as const },
    ];
    await using watched = await openWatchedMill(server, {
      prompts: 30,
      simulator: { latencyMs: 150, promptFaults: faults },
    });
    const run = await watched.mill.open();
    const page = await watched.open("/");
    await page.getByRole("link", { name: "out" }).click();
    await page.evaluate(`document.body.setAttribute("data-mark", "not reloaded")`);
    const settled = async () => Number((await figuresOf(page))["Prompts settled"]);
    expect(await settled()).toBe(0);
    const note = page.getByText("the end of the charts is not complete yet");
    expect(await note.count()).toBe(1);
    await watched.mill.work();
    await until(async () => expect(await settled()).toBeGreaterThan(3));
    const first = await settled();
    await until(async () => expect(await settled()).toBeGreaterThan(first));
    const summary = await run.finished;
    const lines = readJournalOf(watched.mill.out);
    const sum = (value: (line: (typeof lines)[number]) => number) =>
      lines.reduce((all, line) => all + value(line), 0);
    const expected = {
      "Prompts settled": String(lines.length),
      Images: String(sum((line) => line.newImages)),
      Retries: String(sum((line) => line.retries)),
      Throttled: String(sum((line) => line.throttled)),
      Failed: String(lines.filter(({ state }) => state === "failed").length),
      Cost: `$${sum((line) => line.costUsd ?? 0).toFixed(2)}`,
    };
    await until(async () => expect(await figuresOf(page)).toMatchObject(expected));
    expect(expected).toMatchObject({ "Prompts settled": "30", Failed: "1" });
    expect(summary.calls).toBe(sum((line) => line.calls));
    await until(async () =>
      expect(await page.locator(".head .badge").textContent()).toBe("complete with failures"),
    );
    expect(await page.evaluate(`document.body.getAttribute("data-mark")`)).toBe("not reloaded");
    expect(await page.locator("canvas").count()).toBe(4);
    expect(await note.count()).toBe(0);
    expect(watched.complaints).toEqual([]);
  });
});
