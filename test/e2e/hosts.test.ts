import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { freePort } from "../../testing/free-port.ts";
import { startSimulator } from "../../simulator/simulator.ts";
import { startConnectProxy, testAuthority } from "../helpers/connect-proxy.ts";
import { startTestRedis } from "../helpers/redis.ts";
import { openStage, promptRows } from "../helpers/stage.ts";
import { until } from "../helpers/until.ts";

const model = ["--provider", "openai", "--model", "my-model"];

test.concurrent("several hosts share the calls of a run; one that dies and comes back costs no prompt and gets calls again", async () => {
  const settings = { latencyMs: 60 };
  await using stage = await openStage(settings);
  await using second = await startSimulator(settings);
  const port = await freePort();
  const mortal = await startSimulator({ ...settings, port });
  const urls = [stage.simulator, second, mortal].map(({ url }) => `${url}/v1`);
  const run = stage.start(
    stage.dataset(promptRows(600)),
    ...model,
    "--concurrency",
    "9",
    ...urls.flatMap((url) => ["--base-url", url]),
  );
  await stage.settled(120);
  const shares = [stage.simulator, second, mortal].map(({ ledger }) => ledger.calls);
  expect(Math.max(...shares) - Math.min(...shares)).toBeLessThan(12);
  await mortal.close();
  const before = second.ledger.calls;
  await until(() => expect(second.ledger.calls).toBeGreaterThan(before + 30));
  await using reborn = await startSimulator({ ...settings, port });
  await until(() => expect(reborn.ledger.calls).toBeGreaterThan(20));
  const end = await run.ended;
  expect(end).toMatchObject({ code: 0 });
  expect(end.summary.prompts).toMatchObject({ total: 600, succeeded: 600, failed: 0 });
  expect(end.stderr).not.toContain("the provider is away");
  const images = [stage.simulator, second, mortal, reborn].map(({ ledger }) => ledger.images);
  expect(images.reduce((sum, n) => sum + n, 0)).toBeLessThan(600 + 9);
});

test.concurrent("several URLs in OPENAI_BASE_URL are one lane for producer and worker, in any order", async () => {
  await using redis = await startTestRedis();
  await using stage = await openStage();
  await using second = await startSimulator();
  const urls = [stage.simulator, second].map(({ url }) => `${url}/v1`);
  stage.env["REDIS_URL"] = redis.url;
  stage.env["OPENAI_BASE_URL"] = urls.join(",");
  stage.startCli("work");
  stage.env["OPENAI_BASE_URL"] = urls.toReversed().join(", ");
  const dataset = stage.dataset(promptRows(20));
  const end = await stage.cli("enqueue", dataset, "--out", stage.out, ...model);
  expect(end).toMatchObject({ code: 0 });
  expect(stage.simulator.ledger.calls).toBe(10);
  expect(second.ledger.calls).toBe(10);
});

test.concurrent("a key file is read again when its key is refused: the run goes on without a word", async () => {
  await using stage = await openStage({ apiKey: "first-key", latencyMs: 50 });
  const file = join(stage.folder, "key");
  writeFileSync(file, "first-key\n");
  stage.env["OPENAI_API_KEY_FILE"] = file;
  const run = stage.start(stage.dataset(promptRows(60)), ...model, "--concurrency", "2");
  await stage.settled(5);
  writeFileSync(file, "second-key\n");
  stage.simulator.settings.apiKey = "second-key";
  const end = await run.ended;
  expect(end).toMatchObject({ code: 0 });
  expect(end.summary.prompts).toMatchObject({ succeeded: 60 });
  expect(end.stderr).not.toContain("left the lane");
});

test.concurrent("a worker whose key was refused comes back by itself once the key file holds another one", async () => {
  await using redis = await startTestRedis();
  await using stage = await openStage({ apiKey: "second-key" });
  const file = join(stage.folder, "key");
  writeFileSync(file, "first-key\n");
  stage.env["REDIS_URL"] = redis.url;
  stage.env["OPENAI_API_KEY_FILE"] = file;
  const worker = stage.startCli("work");
  const args = ["enqueue", stage.dataset(promptRows(10)), "--out", stage.out, "--json", ...model];
  const refused = await stage.cli(...args);
  expect(refused).toMatchObject({ code: 4 });
  writeFileSync(file, "second-key\n");
  await until(() => expect(worker.stderr).toContain("back in the lane"));
  const end = await stage.cli(...args);
  expect(end).toMatchObject({ code: 0 });
  expect(end.summary.prompts).toMatchObject({ succeeded: 10 });
});

test.concurrent("a provider is asked through the proxy of HTTPS_PROXY, but this machine never is", async () => {
  await using stage = await openStage();
  await using proxy = await startConnectProxy(Number(new URL(stage.simulator.url).port));
  stage.env["HTTPS_PROXY"] = proxy.url;
  stage.env["HTTP_PROXY"] = proxy.url;
  stage.env["NODE_EXTRA_CA_CERTS"] = testAuthority;
  const dataset = stage.dataset(promptRows(6));
  const tunnelled = await stage.run(dataset, ...model, "--base-url", "https://provider.test/v1");
  expect(tunnelled).toMatchObject({ code: 0 });
  expect(new Set(proxy.tunnels)).toEqual(new Set(["provider.test:443"]));
  expect(stage.simulator.ledger.calls).toBe(6);
  const tunnels = proxy.tunnels.length;
  const direct = await stage.cli("run", dataset, "--out", join(stage.folder, "direct"), ...model);
  expect(direct).toMatchObject({ code: 0 });
  expect(proxy.tunnels).toHaveLength(tunnels);
});
