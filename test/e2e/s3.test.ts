import { existsSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { Redis } from "ioredis";
import { describe, expect, test } from "vitest";
import { downloadRun, settledIn as settledInBucket } from "../helpers/bucket-run.ts";
import { startTestRedis } from "../helpers/redis.ts";
import { filesBelow } from "../helpers/run-files.ts";
import { bucketName, startS3Server, type S3Server } from "../helpers/s3-server.ts";
import { S3Refusal } from "../helpers/s3-objects.ts";
import { openS3Stage, type S3Stage } from "../helpers/s3-stage.ts";
import { openStage, promptRows, type Stage } from "../helpers/stage.ts";
import { until } from "../helpers/until.ts";

const prefix = "runs/first/";
const location = `s3://${bucketName}/runs/first`;

/** How many results the bucket holds. */
const settledIn = ({ bucket }: S3Server): number => settledInBucket(bucket, prefix);

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

/** A dataset of so many prompts, two images each. */
const asked = (stage: Stage, prompts: number) => [
  stage.dataset(promptRows(prompts)),
  "-m",
  "dall-e-3",
  "-n",
  "2",
  "--json",
];
const run = (stage: Stage, what: readonly string[]) =>
  stage.startCli("run", ...what, "-c", "6", "--out", location);

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

  test("waits while the storage asks to slow down, buys nothing twice, and goes on by itself", async () => {
    await using opened = await openS3Stage({ latencyMs: 50 });
    const { stage, server } = opened;
    const life = run(stage, asked(stage, 40));
    await until(() => expect(settledIn(server)).toBeGreaterThan(10));
    server.trouble = () => new S3Refusal(503, "SlowDown", "Please reduce your request rate.");
    await until(() => expect(life.stderr).toContain("storage is in trouble"));
    const before = settledIn(server);
    await until(() => expect(stage.simulator.ledger.inFlight).toBe(0));
    expect(settledIn(server)).toBe(before);
    expect(life.stderr).toContain("HTTP 503 SlowDown: Please reduce your request rate.");
    server.trouble = () => undefined;
    const end = await life.ended;
    expect(end.code).toBe(0);
    expect(end.summary).toMatchObject({ images: 80, calls: 80, retries: 0 });
    expect(stage.simulator.ledger.calls).toBe(80);
  });

  test("stops with what to do where the storage stays away, and the same command goes on", async () => {
    await using opened = await openS3Stage({ latencyMs: 50 });
    const { stage, server } = opened;
    const args = [
      ...asked(stage, 40),
      "-c",
      "4",
      "--out",
      location,
      "--give-up-after",
      "2s",
      "--timeout",
      "3s",
    ];
    const life = stage.startCli("run", ...args);
    await until(() => expect(settledIn(server)).toBeGreaterThan(5));
    server.trouble = () => new S3Refusal(403, "AccessDenied");
    const stopped = await life.ended;
    expect(stopped.code).toBe(4);
    expect(stopped.summary.reason).toContain("access was denied");
    server.trouble = () => undefined;
    const end = await stage.cli("run", ...args);
    expect(end.code).toBe(0);
    expect(end.summary).toMatchObject({ state: "completed", images: 80 });
    expect(stage.simulator.ledger.calls).toBeLessThanOrEqual(80 + 4);
  });

  test("has one producer at a time", async () => {
    // Several times as long as a second one takes to begin.
    await using opened = await openS3Stage({ latencyMs: 3_000 });
    const { stage, server } = opened;
    const first = run(stage, asked(stage, 20));
    await until(() => expect(settledIn(server)).toBeGreaterThan(0));
    const second = await run(stage, asked(stage, 20)).ended;
    expect(second.code).toBe(2);
    expect(second.stderr).toContain(`${location} is in use by process ${first.pid}`);
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

describe("a run is refused before anything is begun", () => {
  test.each([
    ["the bucket is not there", "s3://no-such-bucket/x", "there is no bucket no-such-bucket"],
    ["something else is there", `s3://${bucketName}/photos`, "is not empty and holds no run"],
    ["the location is malformed", "s3://Pictures/x", "expected a location like s3://bucket/folder"],
  ])("where %s", async (_, out, message) => {
    await using opened = await openS3Stage();
    const { stage, server } = opened;
    server.bucket.set("photos/cat.jpg", Buffer.from("x"));
    const end = await stage.cli("run", ...asked(stage, 3), "--out", out);
    expect(end.code).toBe(2);
    expect(end.stderr).toContain(message);
    expect([...server.bucket.keys()]).toEqual(["photos/cat.jpg"]);
    expect(stage.simulator.ledger.calls).toBe(0);
  });

  test("where there are no credentials", async () => {
    await using opened = await openS3Stage();
    const { stage } = opened;
    delete stage.env["AWS_ACCESS_KEY_ID"];
    const end = await stage.cli("run", ...asked(stage, 3), "--out", location);
    expect(end.code).toBe(2);
    expect(end.stderr).toContain("no credentials were found: set AWS_ACCESS_KEY_ID");
  });

  test("where the copy that the producer works on cannot be written", async () => {
    await using opened = await openS3Stage();
    const { stage } = opened;
    stage.env["XDG_CACHE_HOME"] = stage.dataset([], "no-folder");
    const end = await stage.cli("run", ...asked(stage, 3), "--out", location);
    expect(end.code).toBe(2);
    expect(end.stderr).toMatch(
      /^imagemill: the copy of the run's state cannot be written here: ENOTDIR/m,
    );
    expect(stage.simulator.ledger.calls).toBe(0);
  });

  test("where the storage ignores conditions; doctor finds that, too, and what is well", async () => {
    await using opened = await openS3Stage();
    const { stage, server } = opened;
    const doctor = () => stage.cli("doctor", "--out", location);
    expect((await doctor()).stdout).toContain(`${location}: can be written, read, listed`);
    server.knowsConditions = false;
    const end = await stage.cli("run", ...asked(stage, 3), "--out", location);
    expect(end.code).toBe(2);
    expect(end.stderr).toContain("ignores If-None-Match");
    expect((await doctor()).stdout).toContain("the storage ignores If-None-Match");
    expect([...server.bucket.keys()]).toEqual([`${prefix}.imagemill/run.lock`]);
  });
});
