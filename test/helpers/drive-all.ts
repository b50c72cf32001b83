import { expect } from "vitest";
import { z } from "zod";
import { readResults } from "./run-files.ts";
import { promptRows, type Stage } from "./stage.ts";
import { until } from "./until.ts";

const perPrompt = 2;
const Lanes = z.array(z.looseObject({ lane: z.string() })).min(1);

/** How a run is driven. */
export interface DriveOptions {
  prompts: number;
  /** Takes the lane's master away, once the run is under way. */
  failOver?: (lane: string) => Promise<void>;
}

/** What a run came to: `indexes` are those of its results, `calls` what the provider was asked. */
export interface Driven {
  code: number | null;
  state: string;
  images: number;
  calls: number;
  indexes: number[];
}

/**
 * Drives everything that talks to the Redis of `REDIS_URL`, as people do: producer and worker apart, status, pause,
 * unpause, doctor. Expects them to do what they say; what the run came to is given back.
 */
export async function driveAll(stage: Stage, { prompts, failOver }: DriveOptions): Promise<Driven> {
  const dataset = stage.dataset(promptRows(prompts));
  const run = [dataset, "-m", "dall-e-3", "-n", String(perPrompt), "--out", stage.out, "--json"];
  const producer = stage.startCli("enqueue", ...run);
  const worker = stage.startCli("work", "-c", "8");
  await stage.settled(2);
  expect(await stage.cli("pause", stage.out)).toMatchObject({ code: 0, stderr: "" });
  const lane = await untilAtRest(stage);
  expect(await doctorOnRedis(stage)).toEqual(healthy);
  expect(await stage.cli("unpause", stage.out)).toMatchObject({ code: 0, stderr: "" });
  if (failOver) await failOver(lane);
  const end = await producer.ended;
  expect(await doctorOnRedis(stage)).toEqual(healthy);
  worker.kill("SIGTERM");
  const { code, stderr } = await worker.ended;
  expect(code).toBe(0);
  expect(end.stderr + stderr).not.toMatch(/NOPERM|CROSSSLOT/);
  const { state, images } = end.summary;
  const indexes = readResults(stage.out).map(({ index }) => index);
  return { code: end.code, state, images, calls: stage.simulator.ledger.calls, indexes };
}

/** Waits until the run is paused and no job is in work, and gives its lane. */
async function untilAtRest(stage: Stage): Promise<string> {
  const atRest = {
    runs: [{ state: "paused" }],
    workers: [{ fit: true }],
    jobs: { active: 0 },
  };
  return await until(async () => {
    const { json } = await stage.cli("status", stage.out, "--json");
    expect(json).toMatchObject([atRest]);
    return Lanes.parse(json)[0]!.lane;
  });
}

/** What {@link driveAll} gives where nothing was lost and nothing bought twice. */
export function whole(prompts: number): Driven {
  const all = prompts * perPrompt;
  return {
    code: 0,
    state: "completed",
    images: all,
    calls: all,
    indexes: [...Array(prompts).keys()],
  };
}

const Checks = z.array(z.looseObject({ name: z.string(), ok: z.unknown() }));

/** What doctor finds on test servers, which keep no append-only file. */
const healthy = {
  redis: true,
  "redis role": true,
  "redis form": true,
  "redis eviction": true,
  "redis persistence": "warning",
};

async function doctorOnRedis(stage: Stage): Promise<Record<string, unknown>> {
  const checks = Checks.parse((await stage.cli("doctor", "--json")).json);
  return Object.fromEntries(
    checks.flatMap(({ name, ok }) => (name.startsWith("redis") ? [[name, ok]] : [])),
  );
}
