import { renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { withFileSizeLimit } from "../helpers/file-size-limit.ts";
import { startTestRedis } from "../helpers/redis.ts";
import { openTestMill } from "../helpers/test-mill.ts";
import { until } from "../helpers/until.ts";

const prompts = 60;

test("storage away for longer than the run waits stops it without its grace; nothing is bought twice later", async () => {
  await using server = await startTestRedis();
  await using mill = await openTestMill(server, { prompts, simulator: { latencyMs: 30 } });
  const run = await mill.open({ giveUpAfterMs: 1_000, graceMs: 600_000 });
  await mill.work();
  await until(() => expect(run.progress().settled).toBeGreaterThan(5));
  const images = join(mill.out, "images");
  renameSync(images, `${images}-away`);
  writeFileSync(images, "no folder");
  const stopped = await run.finished;
  expect(stopped).toMatchObject({ state: "stopped", prompts: { failed: 0 } });
  expect(stopped.reason).toMatch(/^no worker could store an image .*storage: /);
  rmSync(images);
  renameSync(`${images}-away`, images);
  const again = await mill.open();
  expect(await again.finished).toMatchObject({ state: "completed", images: prompts });
  expect(mill.simulator.ledger.images).toBe(prompts);
});

test("a run directory that takes no result for longer than the run waits stops it, though others have nothing to write", async () => {
  await using server = await startTestRedis();
  await using mill = await openTestMill(server, { prompts, simulator: { latencyMs: 30 } });
  const run = await mill.open({ giveUpAfterMs: 1_000 });
  // Images are stored elsewhere: only what the producer writes has no room.
  await mill.work({
    openStorage: () => ({ put: async () => undefined, get: async () => undefined }),
  });
  await until(() => expect(run.progress().settled).toBeGreaterThan(5));
  const stopped = await withFileSizeLimit(0, () => run.finished);
  expect(stopped).toMatchObject({ state: "stopped", prompts: { failed: 0 } });
  expect(stopped.reason).toMatch(/cannot be written|could not be written/);
});
