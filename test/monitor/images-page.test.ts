import { readdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { filesBelow, fingerprint } from "../helpers/run-files.ts";
import { startTestRedis, type TestRedis } from "../helpers/redis.ts";
import { openWatchedMill } from "../helpers/watched-mill.ts";
import { until } from "../helpers/until.ts";

let server: TestRedis;
beforeAll(async () => {
  server = await startTestRedis();
});
afterAll(() => server.close());

const evil = "<img src=x onerror=\"document.title='taken'\"> a fox & a <b>crow</b>";

describe("the gallery of a run", () => {
  test("shows images, failures in their place, and markup in prompts and messages as text", async () => {
    await using watched = await openWatchedMill(server, {
      prompts: 0,
      simulator: {
        refuseParameter: null,
        promptFaults: [{ match: "broken", fault: "notAnImage" }],
      },
    });
    const { mill } = watched;
    const rows = [
      { prompt: evil },
      { prompt: "broken one" },
      { prompt: "" },
      { prompt: "a heron" },
    ];
    writeFileSync(
      join(mill.out, "..", "prompts.jsonl"),
      rows.map((row) => `${JSON.stringify(row)}\n`).join(""),
    );
    const run = await mill.open({}, { numGenerations: 2, attempts: 1 });
    await mill.work();
    await run.finished;
    const before = fingerprint(mill.out);
    const page = await watched.open(`/runs/${run.id}/images?show=all`);
    const cards = page.locator("article.prompt");
    await until(async () => expect(await cards.count()).toBe(4));
    expect(await cards.nth(0).locator(".text").textContent()).toBe(evil);
    expect(await cards.nth(1).locator(".gap").count()).toBe(1);
    expect(await cards.nth(1).textContent()).toMatch(/bad response.*failed/s);
    expect(await cards.nth(2).textContent()).toMatch(/rejected/);
    const images = page.locator("article.prompt img");
    await until(async () => {
      const widths = await images.evaluateAll((all) =>
        all.map((image) => Number(Reflect.get(image, "naturalWidth"))),
      );
      expect(widths).toHaveLength(4);
      expect(Math.min(...widths)).toBeGreaterThan(0);
    });
    await page.getByRole("link", { name: "Prompt 0" }).click();
    await page.locator("figcaption", { hasText: "Image 2" }).waitFor();
    expect(await page.locator("blockquote").textContent()).toBe(evil);
    expect(await page.title()).not.toBe("taken");
    // The monitor writes nothing into a run directory: thumbnails are in the cache.
    expect(fingerprint(mill.out)).toEqual(before);
    expect(filesBelow(`${mill.out}-cache`)).toHaveLength(4);
    expect(watched.complaints).toEqual([]);
  });

  test("finds prompts by text in any case, and pages through those of a state", async () => {
    await using watched = await openWatchedMill(server, { prompts: 60 });
    const run = await watched.mill.open();
    await watched.mill.work();
    await run.finished;
    const page = await watched.open(`/runs/${run.id}/images?show=all`);
    const cards = page.locator("article.prompt");
    await until(async () => expect(await cards.count()).toBe(48));
    await page.getByRole("link", { name: "Next" }).click();
    await until(async () => expect(await cards.count()).toBe(12));
    await page.getByRole("searchbox").fill("PROMPT 31 OF");
    await page.getByRole("searchbox").press("Enter");
    await page.getByText("1 found").waitFor();
    expect(await cards.locator(".text").allTextContents()).toEqual(["prompt 31 of a test"]);
    // Where a link is wrong or old, the nearest page is shown.
    const images = async (query: string) => {
      const response = await fetch(`${watched.monitor.url}/runs/${run.id}/images?${query}`);
      return [response.status, (await response.text()).split("<article").length - 1];
    };
    expect(await images("show=all&page=1e9")).toEqual([200, 12]);
    expect(await images("show=all&page=1.5")).toEqual([200, 48]);
    expect(await images("q=prompt&from=1.5")).toEqual([200, 48]);
    expect(await images("q=prompt&from=1e300")).toEqual([200, 0]);
    // A search begins with a line: inside of one there is nothing that could be read.
    const inside = await fetch(`${watched.monitor.url}/runs/${run.id}/images?q=prompt&from=17`);
    expect(inside.status).toBe(400);
    expect(await inside.text()).toContain("to be where a line of the journal begins");
    expect(watched.complaints).toEqual([]);
  });

  test("serves nothing but images of runs that it was given", async () => {
    await using watched = await openWatchedMill(server, { prompts: 2 });
    const { mill, monitor } = watched;
    const run = await mill.open();
    await mill.work();
    await run.finished;
    const shard = join(mill.out, "images", "00000");
    const [name] = readdirSync(shard);
    symlinkSync("/etc/hostname", join(shard, "00000009-0.png"));
    const status = async (path: string) =>
      (await fetch(`${monitor.url}/runs/${run.id}${path}`)).status;
    expect(await status(`/file/00000/${name}`)).toBe(200);
    expect(await status(`/thumb/00000/${name}`)).toBe(200);
    for (const path of [
      "/file/00000/00000009-0.png",
      "/thumb/00000/00000009-0.png",
      "/file/00000/..%2f..%2f.imagemill%2frun.json",
      "/file/..%2f.imagemill/run.json",
      "/file/00000/00000777-0.png",
    ])
      expect([path, await status(path)]).toEqual([path, 404]);
    expect((await fetch(`${monitor.url}/runs/other/file/00000/${name}`)).status).toBe(404);
  });
});

describe("a provider's message with markup", () => {
  test("stays text where problems and attempts are shown", async () => {
    await using watched = await openWatchedMill(server, {
      prompts: 3,
      simulator: { refuseParameter: "<script>document.title='taken'</script>" },
    });
    const { mill } = watched;
    const parameters = { "<script>document.title='taken'</script>": "<u>1</u>" };
    const run = await mill.open({ passThrough: true }, { parameters });
    await mill.work();
    await run.finished;
    const page = await watched.open(`/runs/${run.id}/problems`);
    const message = page.locator(".problems .message").first();
    await until(async () => expect(await message.textContent()).toContain("<script>document"));
    await page.goto(`${watched.monitor.url}/runs/${run.id}/prompts/0`);
    await page.getByText("<u>1</u>").waitFor();
    expect(await page.title()).not.toBe("taken");
    expect(watched.complaints).toEqual([]);
  });
});
