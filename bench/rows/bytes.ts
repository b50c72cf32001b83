import { startTestRedis } from "../../test/helpers/redis.ts";
import { compare, type Measure, type Row } from "../row.ts";
import { type ProcessEnd, startImagemill, startProgram } from "../processes.ts";
import { type Call, startBenchSimulator } from "../simulator.ts";
import { runArgs, temporaryFolder, writePrompts } from "../stage.ts";

const concurrency = 500;
const imageBytes = 5_000_000;
/** What the README states for this case. */
const capMegabytes = 600;
/** All calls of a run are sent before the first is answered, and then all are answered at once. */
const latencyMs = 2_000;

/** How a process ended that made all images, or had them made. */
interface Pass extends ProcessEnd {
  inFlight: number;
}

/** The most calls that were in flight at once. */
function mostInFlight(calls: readonly Call[]): number {
  const steps = calls.flatMap(({ startedAt, endedAt }) => [
    { at: startedAt, step: 1 },
    { at: endedAt ?? Infinity, step: -1 },
  ]);
  let now = 0;
  return steps
    .toSorted((a, b) => a.at - b.at || a.step - b.step)
    .reduce((most, { step }) => Math.max(most, (now += step)), 0);
}

function megabytes({ peakRssBytes }: ProcessEnd): number {
  return peakRssBytes / 1e6;
}

/** The loop, `run`, and `work` beside `enqueue`, each over the same dataset, one after the other. */
async function passes(prompts: number): Promise<Record<"loop" | "run" | "work", Pass>> {
  const folder = await temporaryFolder();
  await using redis = await startTestRedis({ tcp: true });
  await using simulator = await startBenchSimulator();
  const env = { REDIS_URL: redis.url, OPENAI_BASE_URL: `${simulator.url}/v1` };
  const dataset = await writePrompts(folder, prompts);
  const calls = ["-c", String(concurrency)];
  const imagemill = (command: "run" | "enqueue", source: string, out: string) => {
    const args = ["--model", "imagemill-sim-1", ...(command === "run" ? calls : [])];
    return startImagemill(runArgs(command, source, `${folder}/${out}`, args), env);
  };
  const pass = async (make: () => Promise<ProcessEnd>): Promise<Pass> => {
    const before = (await simulator.calls()).length;
    const end = await make();
    return { ...end, inFlight: mostInFlight((await simulator.calls()).slice(before)) };
  };
  // The lane finds out with small images that it may have all of its calls in flight, and goes on from there.
  await simulator.set({ latencyMs: 200, imageBytes: 2_000 });
  await using warmUp = imagemill("run", await writePrompts(folder, 3_000), "warm-up");
  await warmUp.ended;
  await simulator.set({ latencyMs, imageBytes });
  const loop = await pass(async () => {
    const args = [simulator.url, dataset, `${folder}/loop`, String(concurrency)];
    await using program = startProgram("bare-loop", args);
    return await program.ended;
  });
  const run = await pass(async () => {
    await using whole = imagemill("run", dataset, "run");
    return await whole.ended;
  });
  const work = await pass(async () => {
    await using worker = startImagemill(["work", ...calls], env);
    await using producer = imagemill("enqueue", dataset, "work");
    const { seconds } = await producer.ended;
    worker.child.kill("SIGTERM");
    return { ...(await worker.ended), seconds };
  });
  return { loop, run, work };
}

/** Large images, many calls: memory is bounded by bytes. */
export const bytes: Row = {
  name: "bytes",
  what: "500 prompts, 5 MB images as base64, 500 calls in flight that are answered at once; one round",
  baseline: "the same loop",
  run: async ({ short }): Promise<Measure[]> => {
    const prompts = short ? 100 : 500;
    const { loop, run, work } = await passes(prompts);
    const against = (name: string, unit: string, of: (pass: Pass) => number, pass: Pass) => ({
      name,
      unit,
      baseline: [of(loop)],
      imagemill: [of(pass)],
    });
    const speed = against("throughput", "images/s", ({ seconds }) => prompts / seconds, run);
    const inFlight = against("run: most calls", "calls in flight", (pass) => pass.inFlight, run);
    const most = Math.min(prompts, concurrency);
    const memory = (name: string, pass: Pass) => ({
      ...compare(against(name, "MB", megabytes, pass), `<= ${capMegabytes} MB`, () => true),
      reached: megabytes(pass) <= capMegabytes,
    });
    return [
      compare(speed, ">= 0.95", (ratio) => ratio >= 0.95),
      compare(inFlight, ">= 0.9", () => run.inFlight >= 0.9 * most),
      memory("run: peak RSS", run),
      memory("work: peak RSS", work),
    ];
  },
};
