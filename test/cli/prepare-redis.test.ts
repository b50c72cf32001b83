import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { Redis } from "ioredis";
import { expect, onTestFinished, test } from "vitest";
import { prepareRedis } from "../../cli/prepare-redis.ts";
import { versionCheck } from "../../cli/redis-checks.ts";
import { refusalOf } from "../../cli/redis-refusal.ts";
import { parseRedisTarget, type RedisCredentials } from "../../shared/redis-target.ts";
import { UsageError } from "../../shared/usage-error.ts";
import { runCli } from "../helpers/cli.ts";
import { freePort } from "../../testing/free-port.ts";
import { startTestRedis, type TestRedisOptions } from "../helpers/redis.ts";
import { clusterNode } from "../helpers/redis-cluster.ts";
import { openSilentServer } from "../helpers/silent-server.ts";
import { tlsClient } from "../helpers/tls.ts";
import { until } from "../helpers/until.ts";

async function startServer(options: TestRedisOptions) {
  const server = await startTestRedis({ tcp: true, ...options });
  onTestFinished(() => server.close());
  return server;
}

/** The warnings of preparing, or the message that it refuses with. */
async function prepare(url: string, credentials: RedisCredentials = {}): Promise<string> {
  const warnings: string[] = [];
  try {
    await prepareRedis(parseRedisTarget(url, credentials), (text) => warnings.push(text));
    return warnings.join("\n");
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    return `refused: ${error.message}`;
  }
}

test("a server that never evicts and keeps an append-only file needs no warning", async () => {
  const { url } = await startServer({ arguments: ["--appendonly", "yes"] });
  expect(await prepare(url)).toBe("");
});

test("eviction and a missing append-only file are warned of, and what to set", async () => {
  const { url } = await startServer({
    arguments: ["--maxmemory", "64mb", "--maxmemory-policy", "volatile-lru"],
  });
  expect(await prepare(url)).toMatch(
    /volatile-lru.*set maxmemory-policy noeviction.*\n.*set appendonly yes/,
  );
});

test("a Redis that is away is warned of: who needs it waits", async () => {
  const port = await freePort();
  expect(await prepare(`redis://127.0.0.1:${port}`)).toMatch(/does not answer yet: .*ECONNREFUSED/);
});

test("what is no Redis is refused as that", async () => {
  const server = createServer((_, response) => response.end("hello"));
  onTestFinished(() => void server.close());
  await once(server.listen(0, "127.0.0.1"), "listening");
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- it listens on a port
  const { port } = server.address() as AddressInfo;
  expect(await prepare(`redis://127.0.0.1:${port}`)).toMatch(
    /^refused: .* is no Redis: .*correct host and port in REDIS_URL/,
  );
});

test("a password that is missing, wrong or unused is named", async () => {
  const { url } = await startServer({ arguments: ["--requirepass", "right"] });
  expect(await prepare(url)).toMatch(/^refused: .*asks for a password .*REDIS_PASSWORD_FILE/);
  const wrong = await prepare(url, { password: "hunter2" });
  expect(wrong).toMatch(/^refused: .*refuses the user name or the password .*REDIS_USERNAME/);
  expect(wrong).not.toContain("hunter2");
});

test("Sentinels that want a password of their own, and a master that they do not know, are told apart", async () => {
  const master = await startServer({});
  const watch = `sentinel monitor main 127.0.0.1 ${new URL(master.url).port} 1`;
  const config = `${watch}\nrequirepass watcher`;
  const sentinel = await startServer({ config, arguments: ["--sentinel"] });
  const url = sentinel.url.replace("redis:", "redis+sentinel:");
  expect(await prepare(`${url}/main`)).toMatch(/^refused: .*REDIS_SENTINEL_PASSWORD/);
  const sentinelPassword = "watcher";
  expect(await prepare(`${url}/mian`, { sentinelPassword })).toMatch(
    /^refused: .*no master of that name.*correct the name/,
  );
  expect(await prepare(`${url}/main`, { sentinelPassword })).toMatch(/^Redis .*appendonly yes$/);
});

test("a user that lacks a command or the keys is told which, and where the list is", async () => {
  const user = ["--user", "small", "on", ">pw", "~imagemill:*", "-@all", "+info"];
  const keyless = ["--user", "keyless", "on", ">pw", "~other:*", "+@all"];
  const { url } = await startServer({ arguments: [...user, ...keyless] });
  const as = (username: string) => prepare(url, { username, password: "pw" });
  expect(await as("small")).toMatch(/^refused: .*'eval' command.*docs\/redis.md/);
  expect(await as("keyless")).toMatch(/^refused: .*NOPERM.*docs\/redis.md/);
});

test("a replica is refused", async () => {
  const { url } = await startServer({ arguments: ["--replicaof", "127.0.0.1", "1"] });
  expect(await prepare(url)).toMatch(/^refused: .*replica: name the master/);
});

test("a Cluster of one node that is asked as if it were alone is warned of; the reverse is refused", async () => {
  const { settings } = await clusterNode();
  const node = await startServer({ arguments: settings });
  const redis = new Redis(node.url);
  onTestFinished(() => redis.disconnect());
  await redis.cluster("ADDSLOTSRANGE", 0, 16_383);
  await until(async () => expect(await redis.cluster("INFO")).toContain("state:ok"));
  expect(await prepare(node.url)).toMatch(/node of a Redis Cluster.*use redis\+cluster:/);
  const alone = await startServer({});
  expect(await prepare(alone.url.replace("redis:", "redis+cluster:"))).toMatch(
    /^refused: .*is no Redis Cluster.*use redis:\/\//,
  );
});

test("a database that is not there is refused", async () => {
  const { url } = await startServer({ arguments: ["--databases", "2"] });
  expect(await prepare(`${url}/7`)).toMatch(/^refused: .*does not have that database/);
});

test("TLS that is not trusted is refused; with the authority's certificate it works by address and by name", async () => {
  const { url } = await startServer({ tls: true, arguments: ["--tls-auth-clients", "yes"] });
  expect(await prepare(url)).toMatch(/^refused: .*not trusted.*REDIS_TLS_CA_FILE/);
  expect(await prepare(url, { certificates: tlsClient })).toMatch(/^Redis .*appendonly yes$/);
  const localhost = url.replace("127.0.0.1", "localhost");
  expect(await prepare(localhost, { certificates: tlsClient })).toMatch(/^Redis .*appendonly yes$/);
});

test("protected mode and a certificate that the server wants are told by their names", () => {
  const code = "ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED";
  expect(refusalOf(Object.assign(new Error("alert"), { code }))?.fix).toContain(
    "REDIS_TLS_CERT_FILE",
  );
  const said = "DENIED Redis is running in protected mode because protected mode is enabled";
  expect(refusalOf(new Error(said))?.detail).toContain(
    "takes only connections from its own machine",
  );
});

test.each([
  ["5.0.14", false],
  ["6.0.20", false],
  ["6.2.0", true],
  ["8.4.1", true],
])("version %s is new enough: %s", (version, ok) => {
  expect(versionCheck("redis", version, "").ok).toBe(ok);
});

test("steering commands say that Redis does not answer, and end with 2", async () => {
  const env = { HOME: tmpdir(), REDIS_URL: `redis://127.0.0.1:${await freePort()}` };
  const end = await runCli(["status"], { cwd: tmpdir(), env });
  expect(end).toMatchObject({ code: 2, stdout: "" });
  expect(end.stderr).toMatch(
    /^imagemill: Redis at redis:\S+ does not answer: connect ECONNREFUSED[^\n]*\n$/,
  );
});

test.each([
  ["status"],
  ["status", "abcdefghijkl"],
  ["cancel", "abcdefghijkl"],
  ["unpause", "--lane", "x"],
])(
  "%s waits for a Redis that says nothing for some seconds only",
  async (...command) => {
    await using server = await openSilentServer();
    const env = { HOME: tmpdir(), REDIS_URL: `redis://127.0.0.1:${server.port}` };
    const before = performance.now();
    const end = await runCli(command, { cwd: tmpdir(), env });
    expect(end).toMatchObject({ code: 2, stdout: "" });
    expect(end.stderr).toMatch(
      /^imagemill: Redis at redis:\S+:\d+\/0 takes connections, but has not answered for 5 s\n$/,
    );
    expect(performance.now() - before).toBeLessThan(20_000);
  },
  60_000,
);
