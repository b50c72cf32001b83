import { setTimeout as delay } from "node:timers/promises";
import type { SimulatorOptions } from "../../simulator/settings.ts";
import { compare, type Measure, type Row, type RowOptions } from "../row.ts";
import { startImagemill } from "../processes.ts";
import { type BenchSimulator, type Call, startBenchSimulator } from "../simulator.ts";
import { runArgs, temporaryFolder, writePrompts } from "../stage.ts";
import { startTestRedis } from "../../test/helpers/redis.ts";

type Unit = "images" | "tokens";

/** What a lane is asked to do, and for how long the provider has which limit. */
interface Scene {
  workers: number;
  /** What the limit counts. Default: images. */
  unit?: Unit;
  model: string;
  args: readonly string[];
  provider: SimulatorOptions;
  phases: readonly { limit: number; minutes: number }[];
}

/** What came of one phase, its first minute apart. */
interface Phase {
  limit: number;
  /** What was used after the first minute, of what the limit allowed. */
  used: number;
  calls: number;
  refused: number;
}

/** Plays a scene with worker processes of their own, and looks at the provider's ledger. */
async function play(scene: Scene): Promise<Phase[]> {
  const { workers, unit = "images", model, args, provider, phases } = scene;
  const folder = await temporaryFolder();
  await using redis = await startTestRedis({ tcp: true });
  await using simulator = await startBenchSimulator({
    ...provider,
    [`${unit}PerMinute`]: phases[0]!.limit,
  });
  const env = {
    REDIS_URL: redis.url,
    OPENAI_BASE_URL: `${simulator.url}/v1`,
    HF_BASE_URL: simulator.url,
  };
  await using stack = new AsyncDisposableStack();
  for (let worker = 0; worker < workers; worker++) stack.use(startImagemill(["work"], env));
  const prompts = await writePrompts(folder, 50_000);
  const out = `${folder}/out`;
  stack.use(startImagemill(runArgs("enqueue", prompts, out, ["--model", model, ...args]), env));
  await firstCall(simulator);
  const ends: Phase[] = [];
  for (const { limit, minutes } of phases) {
    await simulator.set({ [`${unit}PerMinute`]: limit });
    const from = Date.now();
    await delay(minutes * 60_000);
    const span = { from, to: from + minutes * 60_000 };
    ends.push(phaseOf(await simulator.calls(), unit, limit, span));
  }
  return ends;
}

async function firstCall(simulator: BenchSimulator): Promise<void> {
  while ((await simulator.calls()).length === 0) await delay(50);
}

function phaseOf(
  calls: readonly Call[],
  unit: Unit,
  limit: number,
  { from, to }: { from: number; to: number },
): Phase {
  const inside = calls.filter(({ startedAt }) => startedAt >= from && startedAt < to);
  const late = inside.filter(({ startedAt }) => startedAt >= from + 60_000);
  const made = late.filter(({ status }) => status !== 429);
  const amount = made.reduce((sum, { n, tokens }) => sum + (unit === "images" ? n : tokens), 0);
  return {
    limit,
    used: amount / ((limit / 60_000) * (to - from - 60_000)),
    calls: inside.length,
    refused: inside.filter(({ status }) => status === 429).length,
  };
}

function measures(
  name: string,
  phases: readonly Phase[],
  { wasted, most, unit = "images" }: { wasted: string; most: number; unit?: Unit },
): Measure[] {
  const calls = phases.reduce((sum, phase) => sum + phase.calls, 0);
  const refused = phases.reduce((sum, phase) => sum + phase.refused, 0);
  const least = most === 0 ? 0.98 : 0.95;
  return [
    ...phases.map(({ limit, used }, i) =>
      compare(
        {
          name: `${name}, ${i + 1}. limit ${limit}/min`,
          unit: `${unit}/min after the first minute`,
          baseline: [limit],
          imagemill: [used * limit],
        },
        `>= ${least}`,
        (ratio) => ratio >= least,
      ),
    ),
    {
      name: `${name}, calls refused`,
      unit: "calls",
      baseline: [calls],
      imagemill: [refused],
      ratio: refused / calls,
      target: wasted,
      reached: refused / calls <= most,
    },
  ];
}

/** How the provider tells of its limits, from everything to nothing. */
const manners: { name: string; model: string; provider: SimulatorOptions; args: string[] }[] = [
  { name: "OpenAI's way", model: "imagemill-sim-1", provider: {}, args: [] },
  {
    name: "429 and nothing else",
    model: "simulated/model",
    args: ["--provider", "huggingface"],
    provider: { retryAfter: "none", rateLimitHeaders: false, limitBurst: 0.1 },
  },
];

/** Limits that nobody configured. */
export const limitSeeking: Row = {
  name: "limit-seeking",
  what: "hidden 600, 300 and again 600 images/min, 1 s latency, nothing configured, 1 and 4 workers",
  baseline: "the hidden limit",
  run: async ({ short }: RowOptions) => {
    const minutes = short ? 1.5 : 3;
    const phases = [600, 300, 600].map((limit) => ({ limit, minutes }));
    // They wait for latency most of the time: together they leave most of the machine idle.
    const scenes = [1, 4].flatMap((workers) =>
      manners.map(async ({ name, model, provider, args }) => {
        const base = { latencyMs: 1_000, jitter: 0.2 };
        const scene = { workers, model, args, phases, provider: { ...base, ...provider } };
        const title = `${workers} worker${workers > 1 ? "s" : ""}, ${name}`;
        return measures(title, await play(scene), { wasted: "<= 0.01", most: 0.01 });
      }),
    );
    return (await Promise.all(scenes)).flat();
  },
};

/** A limit that was configured. */
export const knownLimit: Row = {
  name: "known-limit",
  what: "600 images/min configured, 4 images a call, 4 workers, 1 s latency",
  baseline: "the limit",
  run: async ({ short }: RowOptions) => {
    const scene = {
      workers: 4,
      model: "imagemill-sim-10",
      args: ["-n", "4", "--images-per-minute", "600"],
      provider: { latencyMs: 1_000, jitter: 0.2 },
      phases: [{ limit: 600, minutes: short ? 1.5 : 4 }],
    };
    return measures("4 workers", await play(scene), { wasted: "0", most: 0 });
  },
};

/** A limit on tokens that was configured, and prompts that take different numbers of them. */
export const knownTokens: Row = {
  name: "known-tokens",
  what: "250,000 tokens/min configured, the quality left to the model, 4 workers, 10 s latency",
  baseline: "the limit",
  run: async ({ short }: RowOptions) => {
    const scene = {
      workers: 4,
      unit: "tokens",
      model: "gpt-image-2",
      args: ["--tokens-per-minute", "250000"],
      provider: { latencyMs: 10_000, jitter: 0.2 },
      phases: [{ limit: 250_000, minutes: short ? 1.5 : 4 }],
    } as const;
    const target = { wasted: "0", most: 0, unit: scene.unit };
    return measures("4 workers, tokens", await play(scene), target);
  },
};
