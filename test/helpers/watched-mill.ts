import type { Page } from "playwright-core";
import { type Monitor, startMonitor } from "../../monitor/monitor.ts";
import { silentLog } from "../../shared/log.ts";
import { parseRedisTarget } from "../../shared/redis-target.ts";
import type { SimulatorOptions } from "../../simulator/settings.ts";
import { startBrowser } from "./browser.ts";
import type { TestRedis } from "./redis.ts";
import { openTestMill, type TestMill } from "./test-mill.ts";

/** Signs readers of watched mills in. */
export const monitorToken = "a token of the tests";

/** A mill with a monitor and a reader's browser. */
export interface WatchedMill extends AsyncDisposable {
  readonly mill: TestMill;
  readonly monitor: Monitor;
  /** Opens a page in a browser of its own; by default one that is signed in. */
  open(path: string, options?: { isSignedIn?: boolean }): Promise<Page>;
  /** What went wrong in any of the pages: errors on the console, and requests to other hosts. */
  readonly complaints: readonly string[];
}

/** Opens a mill, a monitor of its run directory and a browser; use it with `await using`. */
export async function openWatchedMill(
  server: TestRedis,
  options: { prompts: number; simulator?: SimulatorOptions },
): Promise<WatchedMill> {
  const stack = new AsyncDisposableStack();
  const mill = stack.use(await openTestMill(server, options));
  const monitor = stack.use(
    await startMonitor({
      places: { roots: [`${mill.out}/..`], directories: [] },
      address: { host: "127.0.0.1", port: 0 },
      token: monitorToken,
      redis: parseRedisTarget(server.url),
      privateRedis: async () => undefined,
      prefix: mill.prefix,
      cacheDirectory: `${mill.out}-cache`,
      log: silentLog,
    }),
  );
  const browser = await startBrowser();
  stack.defer(() => browser.close());
  const complaints: string[] = [];
  return {
    mill,
    monitor,
    complaints,
    open: async (path, { isSignedIn = true } = {}) => {
      const context = await browser.newContext();
      const page = await context.newPage();
      page.on("pageerror", (error) => complaints.push(error.message));
      page.on("console", (message) => {
        if (message.type() === "error") complaints.push(message.text());
      });
      page.on("request", (request) => {
        const url = request.url();
        if (!url.startsWith(monitor.url) && !url.startsWith("data:")) complaints.push(url);
      });
      if (isSignedIn) await page.goto(monitor.signInUrl);
      await page.goto(monitor.url + path);
      return page;
    },
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}
