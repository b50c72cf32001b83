// Measures each page of a monitor over a finished run: node scripts/measure-monitor.ts RUN_DIRECTORY
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { startMonitor } from "../monitor/monitor.ts";
import { Cleanup } from "../shared/cleanup.ts";
import { silentLog } from "../shared/log.ts";
import { readRunFile } from "../shared/run-file.ts";
import { startBrowser } from "../test/helpers/browser.ts";

const firstPaintOf = `performance.getEntriesByName("first-contentful-paint")[0]?.startTime`;

const directory = resolve(process.argv[2] ?? ".");
const run = await readRunFile(directory);
if (!run) throw new Error(`expected a run directory, got ${directory}`);
await using stack = new Cleanup();
const cache = await mkdtemp(join(tmpdir(), "imagemill-measure-"));
stack.defer(() => rm(cache, { recursive: true, force: true }));
const monitor = stack.use(
  await startMonitor({
    places: { roots: [], directories: [directory] },
    address: { host: "127.0.0.1", port: 0 },
    privateRedis: async () => undefined,
    prefix: "imagemill",
    cacheDirectory: cache,
    log: silentLog,
  }),
);
const at = (path: string) => `${monitor.url}${path}`;
const startedAt = performance.now();
for (let text = "being read"; text.includes("being read");)
  text = await (await fetch(at(`/runs/${run.id}`))).text();
const indexMs = Math.round(performance.now() - startedAt);
const memory = Math.round(process.memoryUsage.rss() / 1e6);
process.stdout.write(`index made in ${indexMs} ms, process ${memory} MB\n`);

const browser = await startBrowser();
stack.defer(() => browser.close());
const base = `/runs/${run.id}`;
const pages = {
  Runs: "/",
  Overview: base,
  "its charts": `${base}/series.json`,
  Retries: `${base}/retries`,
  Problems: `${base}/problems`,
  "Images, latest": `${base}/images`,
  "Images, failed": `${base}/images?show=failed`,
  "Images, last page": `${base}/images?show=all&page=4166`,
  "Search for a rare text": `${base}/images?q=prompt+199998`,
  Prompt: `${base}/prompts/150007`,
  Lanes: "/lanes",
};
for (const [name, path] of Object.entries(pages)) {
  const times: number[] = [];
  let bytes = 0;
  for (let i = 0; i < 11; i++) {
    const before = performance.now();
    bytes = (await (await fetch(at(path))).arrayBuffer()).byteLength;
    times.push(performance.now() - before);
  }
  const median = times.toSorted((a, b) => a - b)[5]!;
  const paint = path.endsWith(".json") ? "" : Math.round(await firstPaint(at(path)));
  process.stdout.write(
    `| ${name} | ${median.toFixed(1)} | ${(bytes / 1e3).toFixed(1)} | ${paint} |\n`,
  );
}

/** From the click to the first content, in a browser that has nothing cached. */
async function firstPaint(url: string): Promise<number> {
  const page = await (await browser.newContext()).newPage();
  await page.goto(url);
  let ms = NaN;
  while (Number.isNaN(ms)) {
    await delay(10);
    ms = Number(await page.evaluate(firstPaintOf));
  }
  await page.context().close();
  return ms;
}
