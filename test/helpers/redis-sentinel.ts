import { Redis } from "ioredis";
import { expect } from "vitest";
import { startTestRedis, type TestRedis } from "./redis.ts";
import { until } from "./until.ts";

/** The name under which the Sentinels watch the master. */
const masterName = "main";

/** A master with a replica, watched by three Sentinels that fail over after a second. */
export interface TestSentinels extends AsyncDisposable {
  /** A URL that `shared/redis.ts` takes; names database 2. */
  readonly url: string;
  /** The server that was started as the master. */
  readonly first: TestRedis;
  /** The server that was started as its replica. */
  readonly second: TestRedis;
}

/** Starts them all, and resolves once a failover would work. */
export async function startTestSentinels(): Promise<TestSentinels> {
  await using started = new AsyncDisposableStack();
  const first = started.use(await startTestRedis({ tcp: true }));
  const port = portOf(first);
  const replica = ["--replicaof", "127.0.0.1", port];
  const second = started.use(await startTestRedis({ tcp: true, arguments: replica }));
  const config = [
    `sentinel monitor ${masterName} 127.0.0.1 ${port} 2`,
    `sentinel down-after-milliseconds ${masterName} 1000`,
    `sentinel failover-timeout ${masterName} 4000`,
  ].join("\n");
  const start = () => startTestRedis({ tcp: true, config, arguments: ["--sentinel"] });
  const sentinels = [
    started.use(await start()),
    started.use(await start()),
    started.use(await start()),
  ];
  await untilInfo(second, "replication", /master_link_status:up/);
  // A Sentinel can vote once it knows the replica and the other two.
  for (const each of sentinels)
    await untilInfo(each, "sentinel", /status=ok,.*slaves=1,sentinels=3/);
  const servers = started.move();
  return {
    url: `redis+sentinel://${sentinels.map((one) => `127.0.0.1:${portOf(one)}`).join(",")}/${masterName}/2`,
    first,
    second,
    [Symbol.asyncDispose]: () => servers.disposeAsync(),
  };
}

function portOf({ url }: TestRedis): string {
  return new URL(url).port;
}

async function untilInfo(server: TestRedis, section: string, expected: RegExp): Promise<void> {
  const client = new Redis(server.url);
  try {
    await until(async () => expect(await client.info(section)).toMatch(expected));
  } finally {
    client.disconnect();
  }
}
