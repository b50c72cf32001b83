import { describe, expect, test } from "vitest";
import { freePort } from "../../testing/free-port.ts";
import { startSimulator } from "../../simulator/simulator.ts";
import type { CliEnd, RunningCli } from "../helpers/cli.ts";
import { startTestRedis, type TestRedis } from "../helpers/redis.ts";
import { filesBelow, readJournalOf, readResults } from "../helpers/run-files.ts";
import { openStage, promptRows, type Stage } from "../helpers/stage.ts";
import { until } from "../helpers/until.ts";

async function sharedStage(server: TestRedis, latencyMs: number, port = 0): Promise<Stage> {
  const stage = await openStage({ latencyMs, port });
  stage.env["REDIS_URL"] = server.url;
  return stage;
}

const oneImageCalls = ["-m", "dall-e-3", "-n", "2", "--json"] as const;

function enqueue(stage: Stage, prompts: number): RunningCli {
  const dataset = stage.dataset(promptRows(prompts));
  return stage.startCli("enqueue", dataset, ...oneImageCalls, "--out", stage.out);
}

function isSmall({ prompt }: { prompt: string }): boolean {
  return prompt.startsWith("small");
}

describe.concurrent("runs over a shared queue", () => {
  test("come to the same files though a worker and the producer are killed with -9", async () => {
    await using server = await startTestRedis({ tcp: true });
    await using stage = await sharedStage(server, 100);
    await using other = await openStage();
    const undisturbed = other.run(other.dataset(promptRows(40)), "-m", "dall-e-3", "-n", "2");
    const producer = enqueue(stage, 40);
    const [doomed] = [1, 2, 3].map(() => stage.startCli("work", "-c", "2"));
    await stage.settled(5);
    doomed!.kill("SIGKILL");
    await stage.settled(12);
    producer.kill("SIGKILL");
    expect((await producer.ended).signal).toBe("SIGKILL");
    stage.startCli("work", "-c", "2");
    const end = await enqueue(stage, 40).ended;
    expect(end.code).toBe(0);
    expect(end.summary).toMatchObject({ state: "completed", images: 80 });
    expect((await undisturbed).code).toBe(0);
    expect(readResults(stage.out)).toStrictEqual(readResults(other.out));
    const images = [stage, other].map(({ out }) => filesBelow(`${out}/images`));
    expect(images[0]).toEqual(images[1]);
    expect(stage.simulator.ledger.calls).toBeLessThanOrEqual(80 + 2);
  });

  test.for(["2", "20"])(
    "give a run of 100 prompts a third of the calls at least beside a large one whose prompts take more, at concurrency %s",
    async (concurrency) => {
      await using server = await startTestRedis({ tcp: true });
      await using stage = await sharedStage(server, 50);
      const { ledger } = stage.simulator;
      stage.startCli("work", "-c", concurrency);
      enqueue(stage, 5_000);
      await stage.settled(40);
      const small = stage.dataset(
        promptRows(100).map(({ prompt }) => ({ prompt: `small ${prompt}` })),
        "small.jsonl",
      );
      const out = `${stage.folder}/small`;
      const end = await stage.cli("enqueue", small, "-m", "dall-e-3", "--out", out, "--json");
      expect(end.summary).toMatchObject({ state: "completed", images: 100 });
      const calls = [...ledger.records()];
      // While its process starts it has nothing to have a share of.
      const meanwhile = calls.slice(calls.findIndex(isSmall), calls.findLastIndex(isSmall) + 1);
      expect(meanwhile.length).toBeGreaterThan(100);
      expect(meanwhile.length).toBeLessThanOrEqual(300);
    },
  );

  test("of two profiles of one name with different base URLs never reach each other's server", async () => {
    await using server = await startTestRedis({ tcp: true });
    await using one = await sharedStage(server, 20);
    await using two = await sharedStage(server, 20);
    const first = enqueue(one, 10);
    const second = enqueue(two, 12);
    one.startCli("work", "-c", "4");
    expect((await first.ended).summary).toMatchObject({ state: "completed", images: 20 });
    expect(second.alive).toBe(true);
    const lanes = (await two.cli("status")).stdout;
    expect(lanes.match(/no living worker serves this lane/g)).toHaveLength(1);
    expect(two.simulator.ledger.calls).toBe(0);
    two.startCli("work", "-c", "4");
    expect((await second.ended).summary).toMatchObject({ state: "completed", images: 24 });
    expect([one.simulator.ledger.calls, two.simulator.ledger.calls]).toEqual([20, 24]);
  });

  test("wait for a provider that is switched off: nothing fails, no attempt is burned, and they finish unaided", async () => {
    await using server = await startTestRedis({ tcp: true });
    const port = await freePort();
    await using stage = await sharedStage(server, 50, port);
    stage.startCli("work", "-c", "4");
    const producer = enqueue(stage, 40);
    await stage.settled(8);
    await stage.simulator.close();
    await until(async () => {
      const { stdout } = await stage.cli("status");
      expect(stdout).toContain("waiting: provider away");
    });
    expect(producer.alive).toBe(true);
    await using back = await startSimulator({ port });
    const end: CliEnd = await producer.ended;
    expect(end.code).toBe(0);
    expect(end.summary).toMatchObject({ state: "completed", images: 80, retries: 0 });
    expect(back.ledger.calls).toBeGreaterThan(0);
    const attempts = readJournalOf(stage.out).flatMap((line) => line.attempts);
    const missed = attempts.filter(({ outcome }) => outcome !== "ok");
    expect(missed.length).toBeGreaterThan(0);
    expect(missed.filter(({ burned }) => burned)).toEqual([]);
  });
});
