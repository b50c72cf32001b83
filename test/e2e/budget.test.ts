import { Redis } from "ioredis";
import { describe, expect, test } from "vitest";
import { startTestRedis } from "../helpers/redis.ts";
import { readResults } from "../helpers/run-files.ts";
import { openStage, promptRows, type Stage } from "../helpers/stage.ts";
import { until } from "../helpers/until.ts";

/** A fifth of the calls goes wrong: some are refused, more break after they were paid, some are short. */
const faults = { error500: 0.05, brokenBody: 0.1, fewerImages: 0.05 };

async function billReaches(stage: Stage, usd: number): Promise<void> {
  await until(() => expect(stage.simulator.ledger.billUsd).toBeGreaterThan(usd), 5);
}

describe.concurrent("--max-cost", { timeout: 180_000 }, () => {
  test.for([
    ["imagemill-sim-1", "1", 60],
    ["imagemill-sim-10", "4", 20],
  ] as const)("is kept with 200 in flight, failures and short answers: %s", async (one) => {
    const [model, images, prompts] = one;
    await using stage = await openStage({ faults, latencyMs: 50, jitter: 0.9 });
    const dataset = stage.dataset(promptRows(prompts));
    const args = ["--provider", "openai", "-m", model, "-n", images, "-c", "200"];
    const end = await stage.run(dataset, ...args, "--max-cost", "1.00");
    expect(end.code).toBe(4);
    expect(end.summary.state).toBe("stopped");
    expect(end.summary.reason).toMatch(
      /^budget: \$[01]\.\d+ of --max-cost \$1\.00 .* higher --max-cost/,
    );
    const first = stage.simulator.ledger.billUsd;
    expect(first).toBeLessThanOrEqual(1);
    expect(first).toBeGreaterThan(0.5);
    expect(end.summary.costUsd!).toBeLessThanOrEqual(first + 1e-9);
    const same = await stage.run(dataset, ...args, "--max-cost", "1.00");
    expect(same.code).toBe(4);
    expect(stage.simulator.ledger.billUsd).toBeLessThanOrEqual(1);
    const more = await stage.run(dataset, ...args, "--max-cost", "20");
    expect(more.code).toBe(0);
    expect(more.summary.images).toBe(prompts * Number(images));
    expect(readResults(stage.out).every(({ state }) => state === "succeeded")).toBe(true);
  });

  test("is kept by two workers though one is killed with -9 and Redis is emptied", async () => {
    await using server = await startTestRedis({ tcp: true });
    await using stage = await openStage({ faults, latencyMs: 300, jitter: 0.5 });
    stage.env["REDIS_URL"] = server.url;
    const dataset = stage.dataset(promptRows(100));
    const args = ["--provider", "openai", "-m", "imagemill-sim-1", "--out", stage.out, "--json"];
    const enqueue = (cap: string) => stage.startCli("enqueue", dataset, ...args, "--max-cost", cap);
    const producer = enqueue("2.00");
    const doomed = stage.startCli("work", "-c", "10");
    stage.startCli("work", "-c", "10");
    await billReaches(stage, 0.3);
    doomed.kill("SIGKILL");
    await billReaches(stage, 0.6);
    const redis = new Redis(server.url);
    await redis.flushall();
    redis.disconnect();
    const end = await producer.ended;
    expect({ code: end.code, state: end.summary.state }).toEqual({ code: 4, state: "stopped" });
    expect(stage.simulator.ledger.billUsd).toBeLessThanOrEqual(2);
    expect(stage.simulator.ledger.billUsd).toBeGreaterThan(0.6);
    const more = await enqueue("20").ended;
    expect({ code: more.code, images: more.summary.images }).toEqual({ code: 0, images: 100 });
  });

  test("is kept though everything is killed with -9 and the queue is lost", async () => {
    await using server = await startTestRedis({ tcp: true });
    await using stage = await openStage({ latencyMs: 300 });
    stage.env["REDIS_URL"] = server.url;
    const dataset = stage.dataset(promptRows(40));
    const args = ["--provider", "openai", "-m", "imagemill-sim-1", "-c", "8"];
    const run = () => stage.start(dataset, ...args, "--max-cost", "0.80");
    const killed = run();
    await billReaches(stage, 0.2);
    killed.kill("SIGKILL");
    await killed.ended;
    const redis = new Redis(server.url);
    await redis.flushall();
    redis.disconnect();
    const end = await run().ended;
    expect(end.code).toBe(4);
    expect(stage.simulator.ledger.billUsd).toBeLessThanOrEqual(0.8);
  });

  test("is refused where no price is known, and taken with --price-per-image", async () => {
    await using stage = await openStage();
    const dataset = stage.dataset(promptRows(4));
    const args = ["-m", "my-model", "--provider", "openai", "--max-cost", "0.1"];
    const refused = await stage.run(dataset, ...args);
    expect(refused.code).toBe(2);
    expect(refused.stderr).toContain("no price is known for my-model");
    expect(refused.stderr).toContain("--price-per-image 0.04");
    expect(stage.simulator.ledger.calls).toBe(0);
    const end = await stage.run(dataset, ...args, "--price-per-image", "0.04");
    expect(end.code).toBe(4);
    expect(stage.simulator.ledger.calls).toBe(2);
    const forgotten = await stage.run(dataset, "-m", "my-model", "--provider", "openai");
    expect({ code: forgotten.code, calls: stage.simulator.ledger.calls }).toEqual({
      code: 4,
      calls: 2,
    });
    const more = await stage.cli("resume", stage.out, "--max-cost", "0.16", "--json");
    expect({ code: more.code, images: more.summary.images }).toEqual({ code: 0, images: 4 });
  });
});
