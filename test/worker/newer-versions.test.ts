import { writeFile } from "node:fs/promises";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { unpauseLane } from "../../shared/lane-state.ts";
import { silentLog, type Log } from "../../shared/log.ts";
import { runFilePath } from "../../shared/run-file.ts";
import { findRegisteredRun } from "../../shared/steer.ts";
import { startTestRedis, type TestRedis } from "../helpers/redis.ts";
import { openTestLane, type TestLane } from "../helpers/test-lane.ts";
import { until } from "../helpers/until.ts";

let server: TestRedis;
beforeAll(async () => {
  server = await startTestRedis();
});
afterAll(() => server.close());

/** A log and what it was told. */
function listen(): { log: Log; lines: string[] } {
  const lines: string[] = [];
  const tell = (_: object, text: string) => void lines.push(text);
  return { log: { ...silentLog, warn: tell, error: tell }, lines };
}

async function handedBack({ queue, simulator }: TestLane, id: string): Promise<void> {
  await until(async () => expect((await queue.getJob(id))?.attemptsStarted).toBeGreaterThan(1));
  expect((await queue.getJob(id))!.attemptsMade).toBe(0);
  expect(simulator.ledger.calls).toBe(0);
}

async function registerNewer({ redis, keys, run }: TestLane): Promise<void> {
  await redis.hset(keys.runs, run.id, JSON.stringify({ v: 2, run: run.id, mood: "new" }));
}

describe.concurrent("a worker that meets something of a newer version", () => {
  test("a registration: hands the jobs back, says so once, and does them once it can read it", async () => {
    await using lane = await openTestLane(server);
    await registerNewer(lane);
    const { log, lines } = listen();
    await lane.serve({ log });
    const id = await lane.add(0);
    await handedBack(lane, id);
    await lane.add(1);
    expect(lines).toEqual([`a newer imagemill registered run ${lane.run.id}: update this worker`]);
    await expect(findRegisteredRun(lane.redis, lane.prefix, lane.run.id)).rejects.toThrow(
      /the registration of run .* was written by a newer imagemill \(version 2/,
    );
    await lane.register();
    expect(await lane.results(2)).toMatchObject([{ state: "succeeded" }, { state: "succeeded" }]);
  });

  test("a registration while a job waits at the gate: the job goes back before its call", async () => {
    await using lane = await openTestLane(server);
    const service = await lane.serve({ concurrency: 1 });
    service.gate.hold(60_000);
    const id = await lane.add(0);
    await until(async () => expect(await lane.queue.getJobState(id)).toBe("active"));
    await registerNewer(lane);
    await until(async () => expect(await lane.queue.getJobState(id)).toBe("waiting"));
    expect(lane.simulator.ledger.calls).toBe(0);
  });

  test("a run.json: hands the jobs back and says what to update", async () => {
    await using lane = await openTestLane(server);
    await writeFile(runFilePath(lane.directory), JSON.stringify({ v: 2, id: lane.run.id }));
    const { log, lines } = listen();
    await lane.serve({ log });
    await handedBack(lane, await lane.add(0));
    expect(lines).toEqual([expect.stringMatching(/run\.json was written by a newer imagemill/)]);
    expect(lane.simulator.ledger.calls).toBe(0);
  });

  test("a reason for a pause: starts no call until the pause ends", async () => {
    await using lane = await openTestLane(server);
    const service = await lane.serve();
    await lane.redis.hset(lane.keys.pause, { kind: "solar_flare", reason: "wait for the night" });
    await until(() =>
      expect(service.gate.pause?.reason).toMatch(/^wait for the night \(solar_flare: not known/),
    );
    await lane.add(0);
    await unpauseLane(lane.redis, lane.keys);
    expect(await lane.results(1)).toMatchObject([{ state: "succeeded" }]);
  });

  test("a heartbeat: counts its worker and its calls, so that nothing is bought twice", async () => {
    await using lane = await openTestLane(server);
    const service = await lane.serve();
    const [own] = await lane.heartbeats();
    const newer = { ...own, v: 2, worker: "newer", mood: "new", calls: ["some-job"] };
    await lane.redis.set(lane.keys.heartbeat("newer"), JSON.stringify(newer), "PX", 8_000);
    await lane.redis.sadd(lane.keys.workers, "newer");
    const beats = await lane.heartbeats();
    expect(beats.map(({ worker, calls }) => [worker, calls])).toEqual(
      expect.arrayContaining([
        [service.worker, []],
        ["newer", ["some-job"]],
      ]),
    );
  });
});
