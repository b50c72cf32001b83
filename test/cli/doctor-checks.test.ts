import { chmod, mkdir, mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, onTestFinished, test } from "vitest";
import { checkNode, runDoctor } from "../../cli/doctor-checks.ts";
import { startTestRedis, type TestRedisOptions } from "../helpers/redis.ts";
import { tlsFile } from "../helpers/tls.ts";

let home: string;

beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), "imagemill-doctor-"));
});

afterEach(() => rm(home, { recursive: true }));

/** The checks by name, in an environment that holds nothing but what is given. */
async function diagnose(env: Record<string, string>, out = join(home, "runs", "new")) {
  const checks = await runDoctor({ HOME: home, PATH: "", ...env }, { out });
  return Object.fromEntries(checks.map((check) => [check.name, check]));
}

async function diagnoseServer(options: TestRedisOptions, credentials = "") {
  const server = await startTestRedis({ tcp: true, ...options });
  onTestFinished(() => server.close());
  return diagnose({ REDIS_URL: server.url.replace("//", `//${credentials}`) });
}

describe("doctor on Redis", () => {
  test("is content with a server that never evicts and keeps an append-only file", async () => {
    const checks = await diagnoseServer({ arguments: ["--appendonly", "yes"] });
    expect(checks).toMatchObject({
      redis: {
        ok: true,
        detail: expect.stringMatching(/^redis:\/\/127.0.0.1:\d+\/0 answers, version \d/),
      },
      "redis role": { ok: true },
      "redis eviction": { ok: true, detail: "maxmemory-policy noeviction, no limit" },
      "redis persistence": { ok: true },
    });
  });

  test("warns of a server that evicts, and of one without an append-only file", async () => {
    const checks = await diagnoseServer({
      arguments: ["--maxmemory", "64mb", "--maxmemory-policy", "allkeys-lru"],
    });
    expect(checks["redis eviction"]).toMatchObject({
      ok: "warning",
      detail: "maxmemory-policy allkeys-lru, limit 64.00M",
      fix: expect.stringContaining("maxmemory-policy noeviction"),
    });
    expect(checks["redis persistence"]).toMatchObject({ ok: "warning", fix: "set appendonly yes" });
  });

  test("refuses a replica", async () => {
    const checks = await diagnoseServer({ arguments: ["--replicaof", "127.0.0.1", "1"] });
    expect(checks["redis role"]).toMatchObject({ ok: false, detail: "replica" });
  });

  test("says why a server does not answer", async () => {
    const { redis } = await diagnose({ REDIS_URL: "redis://:hunter2@127.0.0.1:1" });
    expect(redis).toMatchObject({ ok: false, detail: expect.stringContaining("ECONNREFUSED") });
    expect(JSON.stringify(redis)).not.toContain("hunter2");
  });

  test("names a wrong password, and does not print it", async () => {
    const { redis } = await diagnoseServer({ arguments: ["--requirepass", "right"] }, ":hunter2@");
    expect(redis).toMatchObject({ ok: false, detail: expect.stringContaining("WRONGPASS") });
    expect(JSON.stringify(redis)).not.toContain("hunter2");
  });

  test("refuses certificates for a URL without TLS, and a password file that is empty", async () => {
    await writeFile(join(home, "empty"), "\n");
    const refused = await diagnose({
      REDIS_URL: "redis://localhost",
      REDIS_TLS_CA_FILE: tlsFile("ca.pem"),
    });
    expect(refused["redis"]?.detail).toContain("expected REDIS_URL to begin with rediss");
    const empty = await diagnose({
      REDIS_URL: "redis://localhost",
      REDIS_PASSWORD_FILE: join(home, "empty"),
    });
    expect(empty["redis"]?.detail).toMatch(/Expected a text in .*empty \(REDIS_PASSWORD_FILE\)/);
  });

  test("takes the password from REDIS_PASSWORD_FILE", async () => {
    const server = await startTestRedis({ tcp: true, arguments: ["--requirepass", "right"] });
    onTestFinished(() => server.close());
    await writeFile(join(home, "password"), "right\n");
    const checks = await diagnose({
      REDIS_URL: server.url,
      REDIS_PASSWORD_FILE: join(home, "password"),
    });
    expect(checks["redis"]).toMatchObject({ ok: true });
  });

  test("names a malformed URL", async () => {
    const { redis } = await diagnose({ REDIS_URL: "localhost:6379" });
    expect(redis).toMatchObject({
      ok: false,
      detail: expect.stringContaining("Expected a Redis URL"),
    });
  });

  test("without REDIS_URL looks for a server to start, and says what to install", async () => {
    const found = await diagnose({ PATH: process.env["PATH"]! });
    expect(found["redis-server"]).toMatchObject({
      ok: true,
      detail: expect.stringMatching(/version \d+\.\d+/),
    });
    const missing = await diagnose({});
    expect(missing["redis-server"]).toMatchObject({
      ok: false,
      fix: expect.stringContaining("apt-get install"),
    });
  });

  test("says of a server that cannot be started why, and what to install", async () => {
    await writeFile(join(home, "redis-server"), "#!/bin/sh\necho no libssl >&2\nexit 127\n");
    await chmod(join(home, "redis-server"), 0o700);
    const { "redis-server": broken } = await diagnose({ PATH: home });
    expect(broken).toMatchObject({
      ok: false,
      detail: expect.stringMatching(/redis-server does not tell its version: .*no libssl/s),
      fix: expect.stringContaining("apt-get install"),
    });
  });
});

describe("doctor on keys", () => {
  test("warns of keys that are not set", async () => {
    expect(await diagnose({})).toMatchObject({
      OPENAI_API_KEY: { ok: "warning" },
      HF_TOKEN: { ok: "warning" },
    });
  });

  test("finds keys in variables, files and the token of a Hugging Face login, and prints none", async () => {
    await writeFile(join(home, "key"), "sk-hunter2\n");
    await mkdir(join(home, ".cache", "huggingface"), { recursive: true });
    await writeFile(join(home, ".cache", "huggingface", "token"), "hf_hunter2");

    const checks = await diagnose({ OPENAI_API_KEY_FILE: join(home, "key") });

    expect(checks).toMatchObject({ OPENAI_API_KEY: { ok: true }, HF_TOKEN: { ok: true } });
    expect(JSON.stringify(checks)).not.toContain("hunter2");
    expect(await diagnose({ HF_TOKEN: "hf_x" })).toMatchObject({ HF_TOKEN: { ok: true } });
  });

  test("refuses a key with quotes and a key file that is not there", async () => {
    expect(await diagnose({ OPENAI_API_KEY: '"sk-x"' })).toMatchObject({
      OPENAI_API_KEY: { ok: false },
    });
    const checks = await diagnose({ HF_TOKEN_FILE: join(home, "missing") });
    expect(checks["HF_TOKEN"]).toMatchObject({
      ok: false,
      detail: expect.stringContaining("HF_TOKEN_FILE"),
    });
  });

  test("needs no key for a base URL of one's own", async () => {
    const checks = await diagnose({ OPENAI_BASE_URL: "http://localhost:8080/v1" });
    expect(checks["OPENAI_API_KEY"]).toMatchObject({ ok: true });
  });
});

test("doctor says what a profile's missing key means: no use at the public host, no key sent to a server", async () => {
  const config = join(home, "profiles.json");
  const atPublicHost = { kind: "openai", keyVariable: "PUBLIC_KEY" };
  const own = { kind: "openai", baseUrl: "http://localhost:8080/v1", keyVariable: "OWN_KEY" };
  await writeFile(config, JSON.stringify({ profiles: { public: atPublicHost, own } }));
  const checks = await runDoctor({ HOME: home, PATH: "" }, { out: home, config });
  expect(checks).toEqual(
    expect.arrayContaining([
      expect.objectContaining({
        name: "PUBLIC_KEY",
        ok: "warning",
        detail: "not set: profile public cannot be used",
      }),
      expect.objectContaining({
        name: "OWN_KEY",
        ok: "warning",
        detail: "not set: the server of profile own is asked without a key",
      }),
    ]),
  );
});

describe("doctor on the output directory", () => {
  test("measures the space of a directory that is not there yet, and leaves nothing behind", async () => {
    const { output } = await diagnose({});
    expect(output?.detail).toMatch(/runs.new: can be written, [\d.]+ \w+ free$/);
    expect(await readdir(home)).toEqual([]);
  });

  test("refuses a path below a file", async () => {
    await writeFile(join(home, "file"), "");
    const { output } = await diagnose({}, join(home, "file", "runs"));
    expect(output).toMatchObject({ ok: false, detail: expect.stringContaining("ENOTDIR") });
  });
});

test.each([
  ["22.11.0", false],
  ["22.12.0", true],
  ["24.1.0", true],
  ["20.20.2", false],
])("doctor takes Node %s: %s", (version, ok) => {
  expect(checkNode(version).ok).toBe(ok);
});
