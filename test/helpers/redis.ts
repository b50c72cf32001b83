import { type ChildProcess, spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { Redis } from "ioredis";
import { freePort } from "../../testing/free-port.ts";
import { killAtExit } from "./kill-at-exit.ts";
import { tlsArguments, tlsClient } from "./tls.ts";

export interface TestRedisOptions {
  /** True: a free TCP port on 127.0.0.1 instead of a Unix socket. */
  tcp?: boolean;
  /** True: a free TCP port that speaks only TLS, with the certificates of `fixtures/tls`; asks clients for none. */
  tls?: boolean;
  /** Lines of a configuration file, for what cannot be an argument. The server may change them. */
  config?: string;
  /** Further arguments of redis-server, such as `["--maxmemory", "4mb"]`. */
  arguments?: string[];
}

/** A private Redis server without persistence. */
export interface TestRedis extends AsyncDisposable {
  /** A URL that `shared/redis.ts` takes. */
  readonly url: string;
  /** The temporary folder of the server. */
  readonly directory: string;
  readonly pid: number;
  /** Ends the server as a crash does. */
  kill(): Promise<void>;
  /** Starts it again at the same address, with what it has kept in `directory`; `env` is added to the environment. */
  start(env?: Record<string, string>): Promise<void>;
  /** Ends the server and removes what it left. */
  close(): Promise<void>;
}

/** A prefix for Redis keys that no other test has. */
export function uniquePrefix(): string {
  return `test-${randomBytes(6).toString("hex")}`;
}

/** Starts a Redis server of its own for one test file; close it in `afterAll`. */
export async function startTestRedis(options: TestRedisOptions = {}): Promise<TestRedis> {
  const directory = await mkdtemp(join(tmpdir(), "imagemill-redis-"));
  const socket = join(directory, "redis.sock");
  const port = options.tcp || options.tls ? await freePort() : 0;
  const scheme = options.tls ? "rediss" : "redis";
  const address = options.tls
    ? ["--port", "0", "--tls-port", String(port), "--bind", "127.0.0.1", ...tlsArguments]
    : port === 0
      ? ["--port", "0", "--unixsocket", socket]
      : ["--port", String(port), "--bind", "127.0.0.1"];
  const configFile = join(directory, "redis.conf");
  if (options.config !== undefined) await writeFile(configFile, options.config);
  const settings = [
    ...(options.config === undefined ? [] : [configFile]),
    "--save",
    "",
    "--appendonly",
    "no",
    // A replica is filled at once, not after 5 s.
    "--repl-diskless-sync-delay",
    "0",
    "--dir",
    directory,
    "--logfile",
    join(directory, "redis.log"),
  ];
  const url = port === 0 ? `redis+unix://${socket}` : `${scheme}://127.0.0.1:${port}`;

  let server: ChildProcess;
  const start = async (env: Record<string, string> = {}) => {
    server = spawn("redis-server", [...settings, ...address, ...(options.arguments ?? [])], {
      stdio: "ignore",
      env: { ...process.env, ...env },
    });
    await once(server, "spawn");
    killAtExit(server);
    await untilReady(
      server,
      port === 0
        ? { path: socket }
        : { port, host: "127.0.0.1", ...(options.tls && { tls: tlsClient }) },
      directory,
    );
  };
  const kill = async () => {
    if (server.exitCode !== null || server.signalCode !== null) return;
    server.kill("SIGKILL");
    await once(server, "exit");
  };
  const close = async () => {
    await kill();
    await rm(directory, { recursive: true, force: true });
  };

  await start().catch(async (error: unknown) => {
    await close();
    throw error;
  });
  return {
    url,
    directory,
    get pid() {
      return server.pid!;
    },
    kill,
    start,
    close,
    [Symbol.asyncDispose]: close,
  };
}

async function untilReady(
  server: ChildProcess,
  address: { path: string } | { port: number; host: string; tls?: typeof tlsClient },
  directory: string,
): Promise<void> {
  const client = new Redis({ ...address, retryStrategy: () => 5, maxRetriesPerRequest: null });
  client.on("error", () => {});
  const exit = new AbortController();
  try {
    await Promise.race([
      // A server with a password is ready when it asks for it.
      client.ping().catch((error: Error) => {
        if (!error.message.startsWith("NOAUTH")) throw error;
      }),
      once(server, "exit", { signal: exit.signal }).then(async () => {
        const log = await readFile(join(directory, "redis.log"), "utf8").catch(() => "");
        throw new Error(`redis-server ended before it was ready:\n${log}`);
      }),
      delay(20_000, undefined, { signal: exit.signal }).then(() => {
        throw new Error("redis-server was not ready after 20 s");
      }),
    ]);
  } finally {
    exit.abort();
    client.disconnect();
  }
}
