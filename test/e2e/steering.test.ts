import { rename } from "node:fs/promises";
import { join } from "node:path";
import { Redis } from "ioredis";
import { describe, expect, test } from "vitest";
import { readRunFile } from "../../shared/run-file.ts";
import { startTestRedis, type TestRedis } from "../helpers/redis.ts";
import { filesBelow, readJournalOf } from "../helpers/run-files.ts";
import { openStage, promptRows, type Stage } from "../helpers/stage.ts";
import { until } from "../helpers/until.ts";

const subJobs = ["--provider", "huggingface", "-n", "3"] as const;

async function idOf(out: string): Promise<string> {
  return (await readRunFile(out))!.id;
}

/** Calls that the provider got more than a second after `at`. */
function lateCalls({ simulator }: Stage, at: number): number {
  return [...simulator.ledger.records()].filter(({ startedAt }) => startedAt > at + 1_000).length;
}

/** Waits until calls have ended, and no new one has begun while the run was looked at. */
async function atRest(stage: Stage, run: string): Promise<void> {
  await until(async () => {
    const { json } = await stage.cli("status", run, "--json");
    expect(json).toMatchObject([{ runs: [{ state: "paused" }], jobs: { active: 0 } }]);
    expect(stage.simulator.ledger.inFlight).toBe(0);
  });
}

async function keysOf(server: TestRedis, run: string): Promise<string[]> {
  const redis = new Redis(server.url);
  const [keys, runs] = [await redis.keys(`*${run}*`), await redis.keys("*:runs")];
  const registered = await Promise.all(runs.map((key) => redis.hexists(key, run)));
  redis.disconnect();
  return [...keys, ...runs.filter((_, i) => registered[i] === 1)];
}

describe.concurrent("a run with a Redis of its own", () => {
  test("is paused by its id in the middle of its calls, goes on, and is cancelled for good", async () => {
    await using stage = await openStage({ latencyMs: 100 });
    const { ledger } = stage.simulator;
    const out = join(stage.folder, "runs", "prompts-black-forest-labs-FLUX.1-schnell");
    const command = ["run", stage.dataset(promptRows(1_000)), ...subJobs, "--json"] as const;
    const life = stage.startCli(...command, "-c", "4");
    await until(() => expect(readJournalOf(out).length).toBeGreaterThan(2));
    const run = await idOf(out);
    expect((await stage.cli("pause", run, "--reason", "lunch")).code).toBe(0);
    const pausedAt = Date.now();
    await atRest(stage, run);
    const calls = ledger.calls;
    await until(() => expect(life.stderr).toContain("the run is paused (lunch)"));
    expect(lateCalls(stage, pausedAt)).toBe(0);
    expect(ledger.calls).toBe(calls);
    expect((await stage.cli("unpause", run)).code).toBe(0);
    await until(() => expect(ledger.calls).toBeGreaterThan(calls + 4));
    const cancel = await stage.cli("cancel", run, "--reason", "no more");
    expect(cancel.stdout).toBe(`run ${run} is cancelled: its producer ends it\n`);
    const end = await life.ended;
    expect(end.code).toBe(5);
    expect(end.summary).toMatchObject({ state: "cancelled", reason: "no more" });

    const bought = ledger.calls;
    const again = await stage.cli(...command);
    expect(again.code).toBe(5);
    expect(again.summary.reason).toContain(`(no more): \`imagemill unpause ${out}\``);
    expect((await stage.cli("retry", run)).code).toBe(5);
    expect(await stage.cli("pause", run)).toMatchObject({
      code: 2,
      stderr: expect.stringContaining(`run ${run} is cancelled: there is nothing to pause`),
    });
    expect((await stage.cli("status", run)).stdout).toContain("cancelled (no more)");
    expect((await readRunFile(out))!.round).toBe(0);
    expect(ledger.calls).toBe(bought);
  });

  test("is paused while it is stopped: its next start says so and waits until it is unpaused", async () => {
    await using stage = await openStage({ latencyMs: 100 });
    const { ledger } = stage.simulator;
    const command = [stage.dataset(promptRows(30)), "-m", "gpt-image-2", "-c", "2"] as const;
    const first = stage.start(...command);
    await stage.settled(3);
    first.kill("SIGINT");
    expect((await first.ended).code).toBe(130);
    const paused = await stage.cli("pause", stage.out);
    expect(paused.stdout).toContain(
      `its next start waits until \`imagemill unpause ${stage.out}\``,
    );
    const calls = ledger.calls;
    const second = stage.start(...command);
    await until(() => expect(second.stderr).toMatch(/was paused at .* and waits/));
    await atRest(stage, stage.out);
    expect(ledger.calls).toBe(calls);
    // A stop while it is paused changes nothing of that.
    second.kill("SIGINT");
    expect((await second.ended).code).toBe(130);
    const third = stage.start(...command);
    await atRest(stage, stage.out);
    expect(ledger.calls).toBe(calls);
    expect((await stage.cli("unpause", stage.out)).stdout).toMatch(/is running\n$/);
    const end = await third.ended;
    expect(end.code).toBe(0);
    expect(end.summary).toMatchObject({ state: "completed", images: 30, calls: 30 });
    expect(ledger.calls).toBe(30);
    for (const action of ["pause", "cancel"]) {
      const refused = await stage.cli(action, stage.out);
      expect(refused.code).toBe(2);
      expect(refused.stderr).toContain(`is finished (completed): there is nothing to ${action}`);
    }
    expect(filesBelow(join(stage.out, ".imagemill"))).not.toContain("steering.json");
  });

  test("is cancelled after a crash: what came back is settled, and unpause takes the cancel back", async () => {
    await using stage = await openStage({ latencyMs: 60 });
    const { ledger } = stage.simulator;
    const command = [stage.dataset(promptRows(60)), ...subJobs, "-c", "4"] as const;
    const first = stage.start(...command);
    await stage.settled(3);
    first.kill("SIGKILL");
    await first.ended;
    const cancel = await stage.cli("cancel", stage.out);
    expect(cancel).toMatchObject({ code: 0, stderr: "" });
    const settled = readJournalOf(stage.out).length;
    expect(cancel.stdout).toContain(`is cancelled: ${settled} prompts are settled`);
    expect((await readRunFile(stage.out))!.summary).toMatchObject({ state: "cancelled" });
    const calls = ledger.calls;
    expect((await stage.run(...command)).code).toBe(5);
    expect(ledger.calls).toBe(calls);
    const back = await stage.cli("unpause", stage.out);
    expect(back.stdout).toContain(`\`imagemill resume ${stage.out}\` goes on with it`);
    const { stdout } = await stage.cli("status", stage.out);
    expect(stdout).toMatch(/ {2}stopped {2}.*\n.*its cancel was taken back: `imagemill resume/);
    expect(stdout).not.toContain("cancelled");
    const end = await stage.cli("resume", stage.out, "--json");
    expect(end.code).toBe(0);
    expect(end.summary).toMatchObject({ state: "completed", images: 180 });
    expect(ledger.calls).toBeLessThanOrEqual(180 + 4);
  });
});

/** A run of sub-jobs of which nothing lives any more. */
async function killedRun(server: TestRedis): Promise<Stage> {
  const stage = await openStage({ latencyMs: 60 });
  stage.env["REDIS_URL"] = server.url;
  const dataset = stage.dataset(promptRows(300));
  const producer = stage.startCli("enqueue", dataset, ...subJobs, "--out", stage.out);
  const worker = stage.startCli("work", "-c", "4");
  await stage.settled(3);
  worker.kill("SIGKILL");
  producer.kill("SIGKILL");
  await Promise.all([worker.ended, producer.ended]);
  return stage;
}

describe.concurrent("a run on a shared Redis whose producer and worker were killed", () => {
  test("is cancelled by its id: nothing of it stays in Redis, its directory says so", async () => {
    await using server = await startTestRedis({ tcp: true });
    await using stage = await killedRun(server);
    const run = await idOf(stage.out);
    expect((await keysOf(server, run)).length).toBeGreaterThan(10);
    const cancel = await stage.cli("cancel", run);
    expect(cancel).toMatchObject({ code: 0 });
    expect(cancel.stdout).toContain(stage.out);
    expect(await keysOf(server, run)).toEqual([]);
    expect((await readRunFile(stage.out))!.summary).toMatchObject({ state: "cancelled" });
  });

  test("is cancelled where its directory cannot be seen: no job stays, and its next start knows", async () => {
    await using server = await startTestRedis({ tcp: true });
    await using stage = await killedRun(server);
    const run = await idOf(stage.out);
    await rename(stage.out, `${stage.out}-elsewhere`);
    const cancel = await stage.cli("cancel", run);
    expect(cancel.stdout).toContain("its directory cannot be seen from here");
    expect((await keysOf(server, run)).filter((key) => key.includes("queue"))).toEqual([]);
    await rename(`${stage.out}-elsewhere`, stage.out);
    const calls = stage.simulator.ledger.calls;
    const end = await stage.cli("resume", stage.out, "--json");
    expect(end.code).toBe(5);
    expect(end.summary.state).toBe("cancelled");
    expect(stage.simulator.ledger.calls).toBe(calls);
    expect(await keysOf(server, run)).toEqual([]);
  });
});

describe.concurrent("a run that is nowhere", () => {
  test("cannot be steered or shown: the message says where it was looked for", async () => {
    await using server = await startTestRedis({ tcp: true });
    await using stage = await openStage();
    for (const command of ["pause", "status"])
      expect(await stage.cli(command, "abcdefghijkl")).toMatchObject({
        code: 2,
        stderr: expect.stringMatching(/abcdefghijkl is neither a run directory nor.*set REDIS_URL/),
      });
    stage.env["REDIS_URL"] = server.url;
    for (const command of ["cancel", "status"])
      expect(await stage.cli(command, "abcdefghijkl")).toMatchObject({
        code: 2,
        stderr: expect.stringContaining("run abcdefghijkl is not under way on this Redis"),
      });
  });
});
