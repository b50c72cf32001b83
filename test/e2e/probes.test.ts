import { describe, expect, test } from "vitest";
import type { RunningCli } from "../helpers/cli.ts";
import { parseMetrics, valueOf } from "../helpers/parse-metrics.ts";
import { startTestRedis } from "../helpers/redis.ts";
import { openStage, promptRows } from "../helpers/stage.ts";
import { until } from "../helpers/until.ts";

const model = ["--provider", "openai", "--model", "imagemill-sim-1"];

/** The address that a worker says it serves its probes at. */
const listening = (worker: RunningCli) =>
  until(() => {
    const found = /http:\/\/127\.0\.0\.1:\d+/.exec(worker.stderr)?.[0];
    if (found === undefined) throw new Error(worker.stderr);
    return found;
  });
const status = async (url: string) => (await fetch(url)).status;

describe("a worker that listens", () => {
  test("serves its metrics; while Redis is away it is alive and not ready", async () => {
    await using server = await startTestRedis({ tcp: true });
    await using stage = await openStage();
    stage.env["REDIS_URL"] = server.url;
    const url = await listening(stage.startCli("work", "--listen", "127.0.0.1:0"));
    const dataset = stage.dataset(promptRows(6));
    const end = await stage.cli("enqueue", dataset, "-o", stage.out, ...model);
    expect(end).toMatchObject({ code: 0 });
    const families = parseMetrics(await (await fetch(`${url}/metrics`)).text());
    expect(valueOf(families, "imagemill_attempts_total", { outcome: "ok" })).toBe(6);
    expect([await status(`${url}/livez`), await status(`${url}/readyz`)]).toEqual([200, 200]);
    expect(await status(`${url}/`)).toBe(404);
    await server.kill();
    expect([await status(`${url}/livez`), await status(`${url}/readyz`)]).toEqual([200, 503]);
    await server.start();
    await until(async () => expect(await status(`${url}/readyz`)).toBe(200));
  });

  test("with several processes reports as one", async () => {
    await using server = await startTestRedis({ tcp: true });
    await using stage = await openStage({ latencyMs: 100 });
    stage.env["REDIS_URL"] = server.url;
    const url = await listening(
      stage.startCli("work", "--processes", "2", "-c", "3", "--listen", "127.0.0.1:0"),
    );
    const dataset = stage.dataset(promptRows(40));
    const end = await stage.cli("enqueue", dataset, "-o", stage.out, ...model, "--json");
    const families = parseMetrics(await (await fetch(`${url}/metrics`)).text());
    expect(valueOf(families, "imagemill_attempts_total", { outcome: "ok" })).toBe(40);
    expect(valueOf(families, "imagemill_images_stored_total")).toBe(end.summary.images);
    expect(valueOf(families, "imagemill_build_info")).toBe(1);
    expect([await status(`${url}/livez`), await status(`${url}/readyz`)]).toEqual([200, 200]);
  });

  test("with several processes tells of all while one is frozen or was killed, and which is missing", async () => {
    await using server = await startTestRedis({ tcp: true });
    await using stage = await openStage();
    stage.env["REDIS_URL"] = server.url;
    const worker = stage.startCli("work", "--processes", "2", "-c", "3", "--listen", "127.0.0.1:0");
    const url = await listening(worker);
    const dataset = stage.dataset(promptRows(40));
    await stage.cli("enqueue", dataset, "-o", stage.out, ...model);
    const scrape = async () => {
      const answer = await fetch(`${url}/metrics`);
      expect(answer.status).toBe(200);
      const families = parseMetrics(await answer.text());
      const made = valueOf(families, "imagemill_attempts_total", { outcome: "ok" });
      const processes = (answered: string) =>
        valueOf(families, "imagemill_worker_processes", { answered });
      return { made, yes: processes("yes"), no: processes("no") };
    };
    await until(async () => expect(await scrape()).toEqual({ made: 40, yes: 2, no: 0 }));
    const pid = Number(/"worker":"[^"]*-(\d+)-\w+","profiles"/.exec(worker.stderr)?.[1]);
    process.kill(pid, "SIGSTOP");
    await until(async () => expect(await scrape()).toEqual({ made: 40, yes: 1, no: 1 }));
    expect(worker.stderr).toContain(`"pids":[${pid}]`);
    process.kill(pid, "SIGKILL");
    // The dead one's counters stay: a sum that falls would be taken for a restart of the counter.
    await until(async () => expect(await scrape()).toEqual({ made: 40, yes: 2, no: 0 }));
  });

  test("says what is wrong with an address, and with one that is taken", async () => {
    await using server = await startTestRedis({ tcp: true });
    await using stage = await openStage();
    stage.env["REDIS_URL"] = server.url;
    const wrong = await stage.cli("work", "--listen", "here");
    expect(wrong).toMatchObject({ code: 2, stderr: expect.stringContaining("Expected HOST:PORT") });
    const { port } = new URL(stage.simulator.url);
    const taken = await stage.cli("work", "--listen", `127.0.0.1:${port}`);
    expect(taken).toMatchObject({ code: 2, stderr: expect.stringContaining("EADDRINUSE") });
  });
});
