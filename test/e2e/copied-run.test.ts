import { cpSync, renameSync } from "node:fs";
import { join } from "node:path";
import { Redis } from "ioredis";
import { describe, expect, test } from "vitest";
import { startTestRedis, type TestRedis } from "../helpers/redis.ts";
import { filesBelow, readJournalOf, readResults } from "../helpers/run-files.ts";
import { openStage, promptRows, type Stage } from "../helpers/stage.ts";
import { until } from "../helpers/until.ts";

const prompts = 60;

/** A stage with a run that was killed after some images, and its Redis. */
async function killedRun(server: TestRedis): Promise<Stage> {
  const stage = await openStage({ latencyMs: 200 });
  stage.env["REDIS_URL"] = server.url;
  const first = stage.start(stage.dataset(promptRows(prompts)), "-m", "dall-e-3", "-c", "2");
  await stage.settled(5);
  first.kill("SIGKILL");
  await first.ended;
  return stage;
}

/** Has the claim of the run's last producer count for so long from now. */
async function claimEndsIn(server: TestRedis, ms: number): Promise<void> {
  const redis = new Redis(server.url);
  const [claim] = await redis.keys("*:producer:*");
  expect(await redis.pexpire(claim!, ms)).toBe(1);
  redis.disconnect();
}

/** Images that a run says it has, and those that are there. */
function imagesOf(out: string): { told: string[]; there: string[] } {
  const told = readResults(out).flatMap(({ images }) => images.filter((name) => name !== null));
  return {
    told: told.toSorted(),
    there: filesBelow(join(out, "images"))
      .map((name) => `images/${name}`)
      .toSorted(),
  };
}

describe.concurrent("a copy of a run directory", () => {
  test("is refused beside the first over the same Redis, and goes on with images of its own afterwards", async () => {
    await using server = await startTestRedis({ tcp: true });
    await using stage = await killedRun(server);
    const copy = join(stage.folder, "copy");
    cpSync(stage.out, copy, { recursive: true });
    const { settings } = stage.simulator;
    // The first one is far from its end until the copy has ended, however slowly that starts.
    settings.latencyMs = 3_000;
    const first = stage.startCli("resume", stage.out, "-c", "2", "--json");
    await stage.settled(readJournalOf(stage.out).length + 1);
    const refused = await stage.cli("resume", copy, "-c", "2", "--json");
    settings.latencyMs = 0;
    const end = await first.ended;
    expect(refused).toMatchObject({
      code: 2,
      stderr: expect.stringMatching(/run \S+ is driven from /),
    });
    expect(refused.stderr).toContain(stage.out);
    expect(end).toMatchObject({ code: 0, summary: { state: "completed", images: prompts } });
    const later = await stage.cli("resume", copy, "--json");
    expect(later).toMatchObject({ code: 0, summary: { state: "completed", images: prompts } });
    for (const { told, there } of [stage.out, copy].map(imagesOf)) {
      expect(told).toHaveLength(prompts);
      expect(there).toEqual(told);
    }
  });

  test("goes on after a crash beside workers that have stored what was in hand in the first one", async () => {
    await using server = await startTestRedis({ tcp: true });
    await using stage = await openStage({ latencyMs: 200 });
    stage.env["REDIS_URL"] = server.url;
    stage.startCli("work", "-c", "2");
    const dataset = stage.dataset(promptRows(prompts));
    const first = stage.startCli("enqueue", dataset, "-m", "dall-e-3", "--out", stage.out);
    await stage.settled(5);
    first.kill("SIGKILL");
    await first.ended;
    const copy = join(stage.folder, "copy");
    cpSync(stage.out, copy, { recursive: true });
    const end = await stage.cli("resume", copy, "--json");
    expect(end).toMatchObject({ code: 0, summary: { state: "completed", images: prompts } });
    const { told, there } = imagesOf(copy);
    expect(told).toHaveLength(prompts);
    expect(there).toEqual(told);
  });

  test("that was moved after a crash waits for the claim of its old place, and then goes on at its new one", async () => {
    await using server = await startTestRedis({ tcp: true });
    await using stage = await killedRun(server);
    const moved = join(stage.folder, "moved");
    renameSync(stage.out, moved);
    await claimEndsIn(server, 60_000);
    const early = stage.startCli("resume", moved, "--json");
    const told = `was driven from ${stage.out} on `;
    await until(() => expect(early.stderr).toContain(told));
    early.kill("SIGTERM");
    expect(await early.ended).toMatchObject({ code: 143 });
    await claimEndsIn(server, 1_000);
    const end = await stage.cli("resume", moved, "--json");
    expect(end).toMatchObject({ code: 0, summary: { state: "completed", images: prompts } });
    const images = imagesOf(moved);
    expect(images.told).toHaveLength(prompts);
    expect(images.there).toEqual(images.told);
  });

  test("that is complete is told of by where it is, not by where it was made", async () => {
    await using stage = await openStage();
    expect((await stage.run(stage.dataset(promptRows(2)), "-m", "dall-e-3")).code).toBe(0);
    const copy = join(stage.folder, "copy");
    cpSync(stage.out, copy, { recursive: true });
    const end = await stage.cli("resume", copy, "--json");
    expect(end).toMatchObject({ code: 0, summary: { state: "completed", out: copy } });
  });
});
