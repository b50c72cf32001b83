import { randomBytes } from "node:crypto";
import { join } from "node:path";
import { Cleanup } from "../shared/cleanup.ts";
import type { Log } from "../shared/log.ts";
import type { ListenAddress } from "../shared/probes.ts";
import type { RedisTarget } from "../shared/redis-target.ts";
import { Access } from "./access.ts";
import { MonitorMetrics } from "./metrics.ts";
import { QueueSources } from "./queue-sources.ts";
import type { RunPlaces } from "./run-places.ts";
import { RunStore } from "./run-store.ts";
import { startMonitorServer } from "./server.ts";
import { Thumbnails } from "./thumbnails.ts";

/** How often thumbnails that were made long ago are looked for. */
const tidyMs = 3_600_000;

/** What a monitor is made of. */
export interface MonitorOptions {
  /** Where runs are looked for: nothing else is ever read or served. */
  places: RunPlaces;
  address: ListenAddress;
  /** Lets its holder act. Default: a random one. */
  token?: string | undefined;
  /** The Redis of runs that producers and workers share. */
  redis?: RedisTarget | undefined;
  /** The private Redis of a run at a location, while it is up. */
  privateRedis: (location: string) => Promise<RedisTarget | undefined>;
  prefix: string;
  /** Where thumbnails are kept; never a run directory. */
  cacheDirectory: string;
  log: Log;
}

/** A running monitor. */
export interface Monitor extends AsyncDisposable {
  readonly url: string;
  /** The address that signs its reader in. */
  readonly signInUrl: string;
}

/** Starts a monitor: it reads Redis and the given runs, and changes only what a signed-in reader asks for. */
export async function startMonitor(options: MonitorOptions): Promise<Monitor> {
  const { places, address, redis, privateRedis, prefix, log } = options;
  const token = options.token ?? randomBytes(18).toString("base64url");
  await using stack = new Cleanup();
  const queues = new QueueSources({ shared: redis, privateRedis, prefix, log });
  stack.defer(() => queues.close());
  const store = stack.use(new RunStore(places, log));
  await store.start();
  const thumbnails = new Thumbnails(join(options.cacheDirectory, "thumbnails"), {
    onError: (error) => log.warn({ error }, "the cache could not be tidied"),
  });
  void thumbnails.tidy();
  const tidying = setInterval(() => void thumbnails.tidy(), tidyMs).unref();
  stack.defer(() => clearInterval(tidying));
  const context = { store, queues, thumbnails, s3: places.s3, log };
  const metrics = new MonitorMetrics(context);
  const access = new Access({ host: address.host, token });
  const server = stack.use(
    await startMonitorServer({ address, context, access, metrics: () => metrics.text() }),
  );
  const resources = stack.move();
  return {
    url: server.url,
    signInUrl: `${server.url}/sign-in?token=${encodeURIComponent(token)}`,
    [Symbol.asyncDispose]: () => resources[Symbol.asyncDispose](),
  };
}
