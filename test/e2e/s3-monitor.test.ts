import { existsSync, mkdirSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { z } from "zod";
import { settledIn } from "../helpers/bucket-run.ts";
import { bucketName } from "../helpers/s3-server.ts";
import { S3Refusal } from "../helpers/s3-objects.ts";
import { location, openS3Stage, prefix, type S3Stage } from "../helpers/s3-stage.ts";
import { promptRows } from "../helpers/stage.ts";
import { until } from "../helpers/until.ts";

const token = "a token of the tests";
const image = "00000/00000003-1.png";

const start = ({ stage }: S3Stage, prompts: number) =>
  stage.startCli(
    "run",
    stage.dataset(promptRows(prompts)),
    "-m",
    "dall-e-3",
    "-n",
    "2",
    "--attempts",
    "1",
    "--json",
    "-c",
    "6",
    "--out",
    location,
  );

async function openMonitor({ stage }: S3Stage, ...args: string[]) {
  const listen = ["--listen", "127.0.0.1:0", "--token", token];
  const monitor = stage.startCli("monitor", ...args, ...listen);
  const url = await until(() => {
    const found = /http:\/\/127\.0\.0\.1:\d+/.exec(monitor.stderr);
    if (!found) throw new Error(`expected an address, got ${monitor.stderr}`);
    return found[0];
  });
  const headers = { authorization: `Bearer ${token}` };
  return {
    monitor,
    ask: (path: string, method = "GET") =>
      fetch(url + path, { method, headers, redirect: "manual" }),
    page: async (path: string) => {
      const reply = await fetch(url + path);
      return { status: reply.status, text: await reply.text() };
    },
  };
}

const runIn = ({ server }: S3Stage): string =>
  z
    .object({ id: z.string() })
    .parse(JSON.parse(String(server.bucket.get(`${prefix}.imagemill/run.json`)))).id;

describe("a run in a bucket", () => {
  test("is followed, steered and looked at through the monitor, which fetches of its journal only what is new", async () => {
    await using opened = await openS3Stage({
      latencyMs: 1_000,
      promptFaults: [{ match: "prompt 3 ", fault: "error500" }],
    });
    const { stage, server } = opened;
    const life = start(opened, 60);
    const temporary = join(stage.folder, "temporary");
    mkdirSync(temporary);
    stage.env["TMPDIR"] = temporary;
    await until(() => expect(settledIn(server.bucket, prefix)).toBeGreaterThan(4));
    const { monitor, ask, page } = await openMonitor(opened, "--runs", `s3://${bucketName}/runs`);
    const run = runIn(opened);
    await until(async () => expect((await page("/")).text).toMatch(/first.*running/s));
    await until(async () =>
      expect((await page(`/runs/${run}`)).text).toMatch(/[1-9]\d* of (about )?60/),
    );
    expect((await ask(`/runs/${run}/pause`, "POST")).status).toBe(303);
    const status = () => stage.cli("status", location, "--json");
    const Status = z.array(z.object({ runs: z.array(z.looseObject({ state: z.string() })) }));
    expect(Status.parse((await status()).json)).toMatchObject([
      { runs: [{ state: "paused", progress: { totals: { images: expect.any(Number) } } }] },
    ]);
    server.requests.length = 0;
    await until(async () => expect((await page("/")).text).toMatch(/first.*paused/s));
    expect((await ask(`/runs/${run}/unpause`, "POST")).status).toBe(303);
    stage.simulator.settings.latencyMs = 0;
    expect((await life.ended).code).toBe(3);
    await until(async () => expect((await page(`/runs/${run}`)).text).toContain("60 of 60"));
    const problems = await page(`/runs/${run}/problems`);
    expect(problems.text).toContain(`imagemill retry ${location}`);
    const parts = server.requests.filter((request) => /^GET .*journal\/\d{8}\.jsonl/.test(request));
    expect(parts.length).toBe(new Set(parts).size);
    const gallery = await page(`/runs/${run}/images?show=all`);
    expect(gallery.text).toContain(`/runs/${run}/thumb/00000/00000000-0.png`);
    expect(gallery.text).not.toContain(server.url);
    monitor.kill("SIGTERM");
    expect((await monitor.ended).code).toBe(0);
    expect(readdirSync(temporary).filter((name) => name.startsWith("imagemill"))).toEqual([]);
  });

  test("has its images come through the monitor's server alone: none that is too large, changed or not a run's", async () => {
    await using opened = await openS3Stage();
    const { stage, server } = opened;
    expect((await start(opened, 5).ended).code).toBe(0);
    const { ask, page } = await openMonitor(opened, location);
    const run = runIn(opened);
    const file = await ask(`/runs/${run}/file/${image}`);
    const key = `${prefix}images/${image}`;
    expect(Buffer.from(await file.arrayBuffer()).equals(server.bucket.get(key)!)).toBe(true);
    expect(file.headers.get("content-type")).toBe("image/png");
    const thumb = await ask(`/runs/${run}/thumb/${image}`);
    expect([thumb.status, thumb.headers.get("content-type")]).toEqual([200, "image/webp"]);
    const statusOf = async (path: string) => (await ask(`/runs/${run}/file/${path}`)).status;
    expect(await statusOf("00000/00000009-0.png")).toBe(404);
    expect(await statusOf("00000/..%2f..%2f.imagemill%2frun.json")).toBe(404);
    server.bucket.set(key, Buffer.alloc(257 * 1024 * 1024));
    expect(await statusOf(image)).toBe(404);
    server.trouble = () => new S3Refusal(403, "AccessDenied");
    expect((await ask(`/runs/${run}/file/00000/00000000-0.png`)).status).toBe(503);
    await until(async () =>
      expect((await page(`/runs/${run}`)).text).toContain("access was denied"),
    );
    expect((await page("/livez")).status).toBe(200);
    expect(existsSync(join(stage.folder, "runs"))).toBe(false);
    expect(readdirSync(stage.folder).toSorted()).toEqual(["home", "prompts.jsonl"]);
  });

  test("that the monitor cannot reach is named before it listens", async () => {
    await using opened = await openS3Stage();
    const { stage } = opened;
    const monitor = (...args: string[]) => stage.cli("monitor", ...args);
    const none = await monitor(location);
    expect([none.code, none.stderr]).toEqual([2, `imagemill: there is no run at ${location}\n`]);
    const bucket = await monitor("--runs", "s3://no-such-bucket/runs");
    expect([bucket.code, bucket.stderr]).toEqual([
      2,
      expect.stringContaining("there is no bucket no-such-bucket: create it"),
    ]);
  });
});
