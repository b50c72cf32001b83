import { existsSync } from "node:fs";
import { join } from "node:path";
import { Redis } from "ioredis";
import { describe, expect, test } from "vitest";
import { startTestRedis } from "../helpers/redis.ts";
import { startS3Server } from "../helpers/s3-server.ts";
import { asked, location, openS3Stage, run, settledIn } from "../helpers/s3-stage.ts";
import { until } from "../helpers/until.ts";

describe("a run in a bucket", () => {
  test("is made by workers elsewhere that share no disk with its producer, and is steered and looked at by its location", async () => {
    await using redis = await startTestRedis({ tcp: true });
    await using opened = await openS3Stage({ latencyMs: 80 });
    const { stage, server } = opened;
    stage.env["REDIS_URL"] = redis.url;
    const producer = stage.startCli("enqueue", ...asked(stage, 40), "--out", location);
    const doomed = stage.startCli("work", "-c", "4");
    await until(() => expect(settledIn(server)).toBeGreaterThan(3));
    doomed.kill("SIGKILL");
    expect((await stage.cli("pause", location, "--reason", "lunch")).code).toBe(0);
    const status = await stage.cli("status", location, "--json");
    expect(status.json).toMatchObject([{ runs: [{ location, state: "paused", reason: "lunch" }] }]);
    stage.startCli("work", "-c", "4");
    expect((await stage.cli("unpause", location)).code).toBe(0);
    const end = await producer.ended;
    expect(end.summary).toMatchObject({ state: "completed", images: 80 });
    expect(stage.simulator.ledger.calls).toBeLessThanOrEqual(80 + 4);
    expect(existsSync(join(stage.folder, "images"))).toBe(false);
    const client = new Redis(redis.url);
    const left = await client.keys("*lane*");
    client.disconnect();
    expect(left.filter((key) => key.includes(end.summary.run))).toEqual([]);
    expect((await stage.cli("cancel", location)).stderr).toContain("is finished");
  });

  test("has one producer at a time", async () => {
    // So slow, until the second one has ended, that the first one is not over before.
    await using opened = await openS3Stage({ latencyMs: 5_000 });
    const { stage, server } = opened;
    const first = run(stage, asked(stage, 20));
    await until(() => expect(settledIn(server)).toBeGreaterThan(0));
    const second = await run(stage, asked(stage, 20)).ended;
    expect(second.code).toBe(2);
    expect(second.stderr).toContain(`${location} is in use by process ${first.pid}`);
    stage.simulator.settings.latencyMs = 0;
    expect((await first.ended).summary).toMatchObject({ state: "completed", calls: 40 });
  });

  test("is not driven over one Redis from a bucket of the same name in another storage, too", async () => {
    await using redis = await startTestRedis({ tcp: true });
    await using opened = await openS3Stage();
    const { stage, server } = opened;
    await using other = await startS3Server();
    stage.env["REDIS_URL"] = redis.url;
    const what = asked(stage, 3);
    const enqueue = () => stage.startCli("enqueue", ...what, "--out", location);
    const first = enqueue();
    const client = new Redis(redis.url);
    const claims = () => client.keys("*:producer:*");
    await until(async () => expect(await claims()).toHaveLength(1));
    client.disconnect();
    for (const [name, bytes] of server.bucket)
      if (!name.endsWith("run.lock")) other.bucket.set(name, bytes);
    Object.assign(stage.env, other.env);
    const second = await enqueue().ended;
    expect(second).toMatchObject({
      code: 2,
      stderr: expect.stringMatching(/run \S+ is driven from s3:\/\/\S+ \(storage \w{8}\) on/),
    });
    first.kill("SIGTERM");
    expect((await first.ended).stderr).not.toContain("lost its run");
  });
});
