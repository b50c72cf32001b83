import { setTimeout as delay } from "node:timers/promises";
import { startTestRedis } from "../../test/helpers/redis.ts";
import { compare, type Row } from "../row.ts";
import { startImagemill } from "../processes.ts";
import { type Call, startBenchSimulator } from "../simulator.ts";
import { runArgs, temporaryFolder, writePrompts } from "../stage.ts";

/** Time in which a lane gets to its pace, and in which it is then looked at. */
const warmUpMs = 15_000;

/** Calls a second that so many workers have answered, once they are at their pace. */
async function steadyRate(workers: number, concurrency: number, seconds: number): Promise<number> {
  const folder = await temporaryFolder();
  await using redis = await startTestRedis({ tcp: true });
  await using simulator = await startBenchSimulator({
    latencyMs: 1_000,
    jitter: 0.2,
    imageBytes: 2_000,
  });
  const env = { REDIS_URL: redis.url, OPENAI_BASE_URL: `${simulator.url}/v1` };
  await using stack = new AsyncDisposableStack();
  for (let worker = 0; worker < workers; worker++)
    stack.use(startImagemill(["work", "-c", String(concurrency)], env));
  const dataset = await writePrompts(folder, 60_000);
  const args = runArgs("enqueue", dataset, `${folder}/out`, ["--model", "imagemill-sim-1"]);
  stack.use(startImagemill(args, env));
  while ((await simulator.calls()).length === 0) await delay(50);
  await delay(warmUpMs + seconds * 1_000);
  return rateOf(await simulator.calls(), seconds);
}

/** Of the last `seconds` before the last answer. */
function rateOf(calls: readonly Call[], seconds: number): number {
  const ends = calls.flatMap(({ endedAt }) => endedAt ?? []);
  const last = ends.reduce((most, at) => Math.max(most, at), 0);
  return ends.filter((at) => at > last - seconds * 1_000).length / seconds;
}

/** One worker at full stretch. */
export const saturation: Row = {
  name: "saturation",
  what: "1 s latency ± 20 %, 512 in flight, one worker, in the steady part",
  baseline: "the ideal: in flight / latency",
  run: async ({ rounds, short }) => {
    const rates: number[] = [];
    for (let round = 0; round < rounds; round++)
      rates.push(await steadyRate(1, 512, short ? 5 : 20));
    const numbers = { name: "calls", unit: "calls/s", baseline: [512], imagemill: rates };
    return [compare(numbers, ">= 0.98", (ratio) => ratio >= 0.98)];
  },
};

/** More workers. */
export const scale: Row = {
  name: "scale",
  what: "1, 2 and 4 worker processes at 1 s latency, 128 in flight each, in the steady part",
  baseline: "one worker",
  run: async ({ rounds, short }) => {
    const rates = new Map([1, 2, 4].map((workers) => [workers, [] as number[]]));
    for (let round = 0; round < rounds; round++)
      for (const [workers, all] of rates) all.push(await steadyRate(workers, 128, short ? 5 : 20));
    const against = (workers: number, target: number) =>
      compare(
        {
          name: `${workers} workers`,
          unit: "calls/s",
          baseline: rates.get(1)!,
          imagemill: rates.get(workers)!,
        },
        `>= ${target}`,
        (ratio) => ratio >= target,
      );
    return [against(2, 1.95), against(4, 3.8)];
  },
};
