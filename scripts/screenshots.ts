// Takes the screenshots of docs/images from a real run against the simulator with faults: node scripts/screenshots.ts [FOLDER]
import { mkdir, mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import type { Browser } from "playwright-core";
import sharp from "sharp";
import { livingEmbeddedRedis } from "../cli/embedded-redis.ts";
import { startMonitor } from "../monitor/monitor.ts";
import { statePaths } from "../producer/run-directory.ts";
import { Cleanup } from "../shared/cleanup.ts";
import { silentLog } from "../shared/log.ts";
import { parseRedisTarget } from "../shared/redis-target.ts";
import { readRunFile } from "../shared/run-file.ts";
import { startSimulator } from "../simulator/simulator.ts";
import { startBrowser } from "../test/helpers/browser.ts";
import { startCli } from "../test/helpers/cli.ts";

const target = resolve(process.argv[2] ?? join(import.meta.dirname, "..", "docs", "images"));
const views = { wide: [1280, "light"], narrow: [400, "dark"] } as const;
/** Longer pages are cut, in pixels. */
const longest = 1_500;

const things = [
  "a lighthouse",
  "a red bicycle",
  "a fox",
  "a paper boat",
  "an old radio",
  "a heron",
];
const places = ["on a cliff at dusk", "in a foggy street", "under tall pines", "on a desert road"];
const styles = ["oil on canvas", "pencil drawing", "35 mm photograph", "woodcut", "watercolour"];

function prompts(): string[] {
  return styles.flatMap((style) =>
    places.flatMap((place) => things.map((thing) => `${thing} ${place}, ${style}`)),
  );
}

const rows = (texts: readonly string[]) =>
  texts.map((prompt, i) => `${JSON.stringify({ prompt, id: `p-${1_000 + i}` })}\n`).join("");

/** Takes one page at both widths. */
async function shoot(browser: Browser, signInUrl: string, path: string, name: string) {
  for (const [size, [width, colorScheme]] of Object.entries(views)) {
    const context = await browser.newContext({
      viewport: { width, height: 860 },
      deviceScaleFactor: width < 500 ? 1.5 : 1,
      colorScheme,
    });
    const page = await context.newPage();
    await page.goto(signInUrl);
    await page.goto(new URL(path, signInUrl).href);
    await page
      .getByText("live", { exact: true })
      .waitFor({ timeout: 3_000 })
      .catch(() => undefined);
    await delay(1_200);
    const height = Number(await page.evaluate("document.documentElement.scrollHeight"));
    const clip = { x: 0, y: 0, width, height: Math.min(longest, Math.max(height, 500)) };
    const png = await page.screenshot({ fullPage: true, clip });
    const file = join(target, `${name}-${size}.webp`);
    await sharp(png).webp({ quality: 72, effort: 6 }).toFile(file);
    await context.close();
  }
}

await using stack = new Cleanup();
const folder = await mkdtemp(join(tmpdir(), "imagemill-screens-"));
// The Redis of a run may still be writing.
stack.defer(() => rm(folder, { recursive: true, force: true, maxRetries: 20, retryDelay: 100 }));
const simulator = stack.use(
  await startSimulator({
    latencyMs: 1_500,
    jitter: 0.7,
    imageScale: 0.25,
    faults: {
      error503: 0.14,
      error500: 0.1,
      notAnImage: 0.05,
      brokenBody: 0.03,
      rateLimited: 0,
    },
    promptFaults: [
      { match: "heron on a cliff", fault: "notAnImage" },
      { match: "radio in a foggy street", fault: "error500" },
    ],
  }),
);
const env = { HOME: folder, OPENAI_BASE_URL: `${simulator.url}/v1` };
const start = (name: string, texts: readonly string[], ...args: string[]) => {
  const model = ["--provider", "openai", "-m", "imagemill-sim-10", "--id-column", "id", "--yes"];
  const out = ["-o", join(folder, "runs", name)];
  return writeFile(join(folder, `${name}.jsonl`), rows(texts)).then(() =>
    stack.use(startCli(["run", `${name}.jsonl`, ...model, ...out, ...args], { cwd: folder, env })),
  );
};
await mkdir(join(folder, "runs"));
await (
  await start("first-tries", prompts().slice(0, 18), "-n", "2", "-c", "12", "--attempts", "3")
).ended;
const running = await start("autumn-catalogue", prompts(), "-n", "4", "-c", "10");
const monitor = stack.use(
  await startMonitor({
    places: { roots: [join(folder, "runs")], directories: [] },
    address: { host: "127.0.0.1", port: 0 },
    privateRedis: async (directory) => {
      const url = await livingEmbeddedRedis(statePaths(directory).state);
      return url === undefined ? undefined : parseRedisTarget(url);
    },
    prefix: "imagemill",
    cacheDirectory: join(folder, "cache"),
    log: silentLog,
  }),
);
const browser = await startBrowser();
stack.defer(() => browser.close());
await delay(14_000);
const file = await readRunFile(join(folder, "runs", "autumn-catalogue"));
if (!file) throw new Error(`the run did not start: ${running.stderr}`);
const run = `/runs/${file.id}`;
await rm(target, { recursive: true, force: true });
await mkdir(target, { recursive: true });
const pages = {
  retries: `${run}/retries`,
  run,
  runs: "/",
  images: `${run}/images`,
  problems: `${run}/problems`,
  lanes: "/lanes",
  queues: "/queues",
};
for (const [name, path] of Object.entries(pages))
  await shoot(browser, monitor.signInUrl, path, name);
const retried = await (await fetch(new URL(`${run}/images?show=retried`, monitor.url))).text();
const prompt = /href="(\/runs\/[a-z2-7]+\/prompts\/\d+)"/.exec(retried)?.[1];
if (prompt === undefined) throw new Error("no prompt was tried twice: run it again");
await shoot(browser, monitor.signInUrl, prompt, "prompt");
process.stdout.write(`${(await readdir(target)).length} screenshots in ${target}\n`);
