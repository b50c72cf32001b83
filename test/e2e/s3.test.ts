import { existsSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { downloadRun } from "../helpers/bucket-run.ts";
import { filesBelow } from "../helpers/run-files.ts";
import { bucketName } from "../helpers/s3-server.ts";
import {
  asked,
  location,
  openS3Stage,
  prefix,
  run,
  settledIn,
  type S3Stage,
} from "../helpers/s3-stage.ts";
import { openStage, type Stage } from "../helpers/stage.ts";
import { until } from "../helpers/until.ts";

/** What lies at the location, as a folder of the stage. */
function download({ stage, server }: S3Stage): string {
  const folder = join(stage.folder, "download");
  downloadRun(server.bucket, prefix, folder);
  return folder;
}

/** As if the machine had been replaced: nothing is left but the dataset. */
function emptyCache({ folder }: Stage): void {
  const cache = join(folder, "home", ".cache");
  expect(existsSync(cache)).toBe(true);
  rmSync(cache, { recursive: true, force: true, maxRetries: 20, retryDelay: 50 });
}

function outputsOf(folder: string): Record<string, string> {
  const names = ["results.jsonl", "failures.jsonl", "rejects.jsonl"];
  return Object.fromEntries(names.map((name) => [name, readFileSync(join(folder, name), "utf8")]));
}

describe("a run in a bucket", () => {
  test("that is killed with -9 and goes on without its local copy comes to the same files as an undisturbed one in a folder", async () => {
    await using opened = await openS3Stage({ latencyMs: 100 });
    const { stage, server } = opened;
    const what = asked(stage, 40);
    for (const lines of [10, 25]) {
      const life = run(stage, what);
      await until(() => expect(settledIn(server)).toBeGreaterThanOrEqual(lines));
      life.kill("SIGKILL");
      await life.ended;
      emptyCache(stage);
    }
    const end = await run(stage, what).ended;
    expect(end.code).toBe(0);
    expect(end.summary).toMatchObject({ state: "completed", out: location, images: 80 });
    expect(stage.simulator.ledger.calls).toBeLessThanOrEqual(80 + 2 * 6);
    await using other = await openStage();
    expect((await other.cli("run", ...asked(other, 40), "--out", other.out)).code).toBe(0);
    const folder = download(opened);
    expect(outputsOf(folder)).toEqual(outputsOf(other.out));
    expect(filesBelow(join(folder, "images"))).toEqual(filesBelow(join(other.out, "images")));
    expect(existsSync(join(folder, "metadata.parquet"))).toBe(true);
    const again = await run(stage, what).ended;
    expect(again.stderr).toContain("is complete, no call is made");
  });

  test("goes on with its local copy: nothing of the journal that is in it is fetched again", async () => {
    await using opened = await openS3Stage({ latencyMs: 100 });
    const { stage, server } = opened;
    const what = asked(stage, 30);
    const life = run(stage, what);
    await until(() => expect(settledIn(server)).toBeGreaterThanOrEqual(10));
    life.kill("SIGKILL");
    await life.ended;
    const kept = settledIn(server);
    server.requests.length = 0;
    expect((await run(stage, what).ended).summary).toMatchObject({
      state: "completed",
      images: 60,
    });
    expect(kept).toBeGreaterThanOrEqual(10);
    const fetched = server.requests.filter((request) =>
      request.startsWith(`GET ${prefix}.imagemill/journal/`),
    );
    // The part that was on its way, and the fence.
    expect(fetched.length).toBeLessThanOrEqual(2);
  });

  test("whose journal somebody cut in the middle of a line is mended in the bucket, too", async () => {
    await using opened = await openS3Stage();
    const { stage, server } = opened;
    const what = asked(stage, 3);
    expect((await run(stage, what).ended).code).toBe(0);
    const part = [...server.bucket.keys()].filter((key) => key.includes("/journal/")).at(-1)!;
    server.bucket.set(part, server.bucket.get(part)!.subarray(0, -20));
    const end = await run(stage, what).ended;
    expect(end.stderr).toContain("the journal's last line was torn and was cut off");
    expect(end.summary).toMatchObject({ state: "completed", images: 6 });
    emptyCache(stage);
    expect((await run(stage, what).ended).stderr).toContain("is complete, no call is made");
    expect(settledIn(server)).toBe(3);
  });

  test("whose journal is damaged is told by the object there, and goes on once its line is removed", async () => {
    await using opened = await openS3Stage();
    const { stage, server } = opened;
    const what = asked(stage, 6);
    expect(await run(stage, what).ended).toMatchObject({ code: 0 });
    const key = [...server.bucket.keys()].find(
      (name) => name.includes("/journal/") && server.bucket.get(name)!.length > 0,
    )!;
    const lines = server.bucket.get(key)!.toString().split("\n");
    server.bucket.set(key, Buffer.from(lines.with(1, "oops").join("\n")));
    const told = `s3://${bucketName}/${key} is damaged: line 2 is not a journal line`;
    for (const command of [
      () => run(stage, what).ended,
      () => run(stage, [...what, "--dry-run"]).ended,
      () => stage.cli("failures", location),
    ]) {
      const end = await command();
      expect(end.stderr).toContain(told);
      expect(end.code).toBe(2);
    }
    server.bucket.set(key, Buffer.from(lines.toSpliced(1, 1).join("\n")));
    const calls = stage.simulator.ledger.calls;
    expect(await run(stage, what).ended).toMatchObject({ code: 0 });
    expect(stage.simulator.ledger.calls).toBe(calls);
  });

  test("is retried, estimated, exported and looked into where its local copy is gone; no credential is in what it leaves", async () => {
    await using opened = await openS3Stage({
      promptFaults: [{ match: "prompt 3", fault: "error500" }],
    });
    const { stage, server } = opened;
    const first = await stage.cli("run", ...asked(stage, 10), "--attempts", "1", "--out", location);
    expect(first.code).toBe(3);
    emptyCache(stage);
    expect((await stage.cli("failures", location)).stdout).toContain("unavailable (HTTP 500)");
    const { stdout: status } = await stage.cli("status", location);
    expect(status).toMatch(/nothing under way\n.* 10 prompts settled/);
    expect(status).not.toContain("no living worker");
    const exportTo = (to: string) =>
      stage.cli("export", location, "--format", "parquet", "--to", to, "--json");
    const exported = { state: "completed_with_failures", images: 18, prompts: 10 };
    expect((await exportTo("to")).json).toMatchObject(exported);
    expect(existsSync(join(stage.folder, "to/data/train-00000-of-00001.parquet"))).toBe(true);
    expect(await exportTo(`${location}-exported`)).toMatchObject({ code: 2, stdout: "" });
    stage.simulator.settings.promptFaults = [];
    const dry = await stage.cli("retry", location, "--dry-run", "--json");
    expect(dry.json).toMatchObject({ prompts: 1, images: 2 });
    const end = await stage.cli("retry", location, "--json");
    expect(end.summary).toMatchObject({ state: "completed", images: 20 });
    const written = [...server.bucket.values()].map((bytes) => bytes.toString("latin1")).join("");
    for (const secret of [stage.env["AWS_SECRET_ACCESS_KEY"]!, stage.env["AWS_ACCESS_KEY_ID"]!])
      expect(written).not.toContain(secret);
  });
});
