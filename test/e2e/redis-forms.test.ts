import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test, vi } from "vitest";
import { aclServer } from "../helpers/acl.ts";
import { startTestRedis } from "../helpers/redis.ts";
import { readResults } from "../helpers/run-files.ts";
import { openStage, promptRows, type Stage } from "../helpers/stage.ts";
import { tlsFile } from "../helpers/tls.ts";

const count = 40;

/**
 * Drives everything that talks to Redis, as people do: producer and worker apart, status, pause, unpause, doctor. Expects
 * every image to be made and paid once.
 */
async function expectAllToWork(stage: Stage): Promise<void> {
  const dataset = stage.dataset(promptRows(count));
  const out = ["--out", stage.out, "--json"];
  const producer = stage.startCli("enqueue", dataset, "-m", "dall-e-3", "-n", "2", ...out);
  const worker = stage.startCli("work", "-c", "4");
  await stage.settled(2);
  expect(await stage.cli("pause", stage.out)).toMatchObject({ code: 0, stderr: "" });
  const status = () => stage.cli("status", stage.out, "--json");
  await vi.waitFor(
    async () => {
      const expected = {
        runs: [{ state: "paused" }],
        workers: [{ fit: true }],
        jobs: { active: 0 },
      };
      expect((await status()).json).toMatchObject([expected]);
    },
    { timeout: 20_000 },
  );
  expect(await stage.cli("unpause", stage.out)).toMatchObject({ code: 0, stderr: "" });
  const end = await producer.ended;
  expect(end.code).toBe(0);
  expect(end.summary).toMatchObject({ state: "completed", images: count * 2 });
  expect(readResults(stage.out).map(({ index }) => index)).toEqual([...Array(count).keys()]);
  expect(stage.simulator.ledger.calls).toBe(count * 2);
  worker.kill("SIGTERM");
  expect((await worker.ended).code).toBe(0);
  expect(end.stderr + (await worker.ended).stderr).not.toMatch(/NOPERM|CROSSSLOT|MOVED/);
}

/** The checks of doctor that are about Redis. */
async function doctorOnRedis(stage: Stage): Promise<unknown> {
  const checks = (await stage.cli("doctor", "--json")).json;
  if (!Array.isArray(checks)) throw new Error("Expected a list of checks");
  return checks.filter(({ name }) => String(name).startsWith("redis"));
}

describe.concurrent("enqueue, work, status, pause, unpause and doctor work", () => {
  test("over TLS with an authority of one's own and a certificate for the client", async () => {
    const mutual = ["--tls-auth-clients", "yes"];
    await using server = await startTestRedis({ tls: true, arguments: mutual });
    await using stage = await openStage({ latencyMs: 60 });
    Object.assign(stage.env, {
      REDIS_URL: server.url,
      REDIS_TLS_CA_FILE: tlsFile("ca.pem"),
      REDIS_TLS_CERT_FILE: tlsFile("client.pem"),
      REDIS_TLS_KEY_FILE: tlsFile("client-key.pem"),
    });
    await expectAllToWork(stage);
    expect(await doctorOnRedis(stage)).toMatchObject([
      { ok: true },
      { ok: true },
      { ok: true },
      {},
      {},
    ]);
  });

  test("as the user that docs/redis.md recommends", async () => {
    const { env, arguments: users } = aclServer();
    await using server = await startTestRedis({ tcp: true, arguments: users });
    await using stage = await openStage({ latencyMs: 60 });
    const passwordFile = join(stage.folder, "password");
    writeFileSync(passwordFile, `${env.REDIS_PASSWORD}\n`);
    Object.assign(stage.env, {
      REDIS_URL: server.url,
      REDIS_USERNAME: env.REDIS_USERNAME,
      REDIS_PASSWORD_FILE: passwordFile,
    });
    await expectAllToWork(stage);
    expect(await doctorOnRedis(stage)).toMatchObject([
      { ok: true },
      { ok: true },
      { ok: true },
      {},
      {},
    ]);
  });
});
