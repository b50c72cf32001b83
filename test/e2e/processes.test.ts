import { describe, expect, test } from "vitest";
import type { RunningCli } from "../helpers/cli.ts";
import { startTestRedis } from "../helpers/redis.ts";
import { readJournalOf } from "../helpers/run-files.ts";
import { openStage, promptRows } from "../helpers/stage.ts";
import { until } from "../helpers/until.ts";

/** Process ids of the worker's processes, once so many have begun to work. */
async function pidsOf(worker: RunningCli, count: number): Promise<number[]> {
  return await until(() => {
    const begun = worker.stderr.matchAll(/"worker":"[^"]*-(\d+)-\w+","profiles"/g);
    const pids = Array.from(begun, ([, pid]) => Number(pid));
    expect(pids).toHaveLength(count);
    return pids;
  });
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

describe.concurrent("work --processes", () => {
  test("works in that many processes, replaces one that is killed, and ends them all at SIGTERM", async () => {
    await using server = await startTestRedis({ tcp: true });
    await using stage = await openStage({ latencyMs: 50 });
    stage.env["REDIS_URL"] = server.url;
    const worker = stage.startCli("work", "--processes", "2", "-c", "2");
    const [doomed, kept] = await pidsOf(worker, 2);
    expect(new Set([doomed, kept, worker.pid]).size).toBe(3);
    process.kill(doomed!, "SIGKILL");
    await until(() => expect(worker.stderr).toContain("another one starts in 1 s"));
    expect(worker.stderr).toContain(`"pid":${doomed},"code":null,"signal":"SIGKILL"`);
    const [, , replacement] = await pidsOf(worker, 3);
    const dataset = stage.dataset(promptRows(40));
    stage.startCli("enqueue", dataset, "-m", "dall-e-3", "--out", stage.out);
    await stage.settled(40);
    const workers = readJournalOf(stage.out).flatMap(({ attempts }) => attempts[0]!.worker);
    expect(new Set(workers.map((id) => Number(id.split("-").at(-2))))).toEqual(
      new Set([kept, replacement]),
    );
    worker.kill("SIGTERM");
    expect((await worker.ended).code).toBe(0);
    expect([kept!, replacement!].filter(isAlive)).toEqual([]);
  });

  test("gives its calls up at a second signal and says how many may be charged twice", async () => {
    await using server = await startTestRedis({ tcp: true });
    await using stage = await openStage({ faults: { hang: 1 } });
    stage.env["REDIS_URL"] = server.url;
    const dataset = stage.dataset(promptRows(8));
    stage.startCli("enqueue", dataset, "-m", "dall-e-3", "--out", stage.out);
    const worker = stage.startCli("work", "--processes", "2", "-c", "2");
    await until(() => expect(stage.simulator.ledger.inFlight).toBe(4));
    worker.kill("SIGTERM");
    await until(() => expect(worker.stderr.match(/SIGTERM: finishing 2 calls/g)).toHaveLength(2));
    // A signal that comes right behind another counts as the same: it is sent until it is heard twice, but not to a process
    // that is at its very end, where Node listens no longer.
    await until(() => {
      const heard = worker.stderr.match(/2 calls in flight were given up/g) ?? [];
      if (heard.length < 2) worker.kill("SIGTERM");
      expect(heard).toHaveLength(2);
    });
    const end = await worker.ended;
    expect(end.code).toBe(143);
    expect(end.stderr.match(/2 calls in flight were given up/g)).toHaveLength(2);
  });

  test("ends with exit code 2 where the processes cannot be started with these settings", async () => {
    await using stage = await openStage();
    const end = await stage.cli("work", "--processes", "2");
    expect(end.code).toBe(2);
    expect(end.stderr).toContain("expected REDIS_URL");
  });

  test("refuses more processes than the machine has cores and memory for", async () => {
    await using stage = await openStage();
    // The check comes before anything is started: without it, this would take the machine's memory.
    const end = await stage.cli("work", "--processes", "1000000", "--lanes", "none");
    expect(end.code).toBe(2);
    expect(end.stderr).toMatch(/Expected at most \d+ here \(4 for each core, each 90 MB/);
  });
});
