import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openRun, type Run } from "../../producer/open-run.ts";
import type { OpenRunOptions } from "../../producer/open-run-options.ts";
import type { RunSettings } from "../../producer/run-settings.ts";
import { laneKeys, type LaneKeys } from "../../shared/keys.ts";
import { laneName } from "../../shared/lane.ts";
import { profileIdentity, type Profile } from "../../shared/profile.ts";
import { connectRedis, type RedisClient } from "../../shared/redis.ts";
import { parseRedisTarget } from "../../shared/redis-target.ts";
import type { SimulatorOptions } from "../../simulator/settings.ts";
import { startSimulator, type Simulator } from "../../simulator/simulator.ts";
import { createWorker, type ImageWorker } from "../../worker/create-worker.ts";
import type { WorkerOptions } from "../../worker/worker-options.ts";
import { promptRows } from "./stage.ts";
import { type TestRedis, uniquePrefix } from "./redis.ts";

/** All that a run needs: a dataset, a run directory, a simulated provider and a queue. */
export interface TestMill extends AsyncDisposable {
  readonly simulator: Simulator;
  readonly redis: RedisClient;
  readonly prefix: string;
  readonly keys: LaneKeys;
  readonly out: string;
  /** Writes the dataset anew, with so many prompts. */
  dataset(prompts: number): void;
  settings(changes?: Partial<RunSettings>): RunSettings;
  /** Opens the run; it is stopped with the mill, if it has not ended. */
  open(changes?: Partial<OpenRunOptions>, settings?: Partial<RunSettings>): Promise<Run>;
  work(options?: Partial<WorkerOptions>): Promise<ImageWorker>;
}

/** Opens a mill with a dataset of so many prompts; use it with `await using`. */
export async function openTestMill(
  server: TestRedis,
  { prompts, simulator: behaviour }: { prompts: number; simulator?: SimulatorOptions },
): Promise<TestMill> {
  const stack = new AsyncDisposableStack();
  const folder = mkdtempSync(join(tmpdir(), "imagemill-mill-"));
  stack.defer(() => rmSync(folder, { recursive: true, force: true }));
  const simulator = stack.use(await startSimulator(behaviour));
  const profile: Profile = {
    name: "test",
    kind: "openai",
    keyVariable: "KEY",
    baseUrl: `${simulator.url}/v1`,
  };
  const target = parseRedisTarget(server.url);
  const redis = connectRedis(target, { role: "producer" });
  redis.on("error", () => {});
  stack.defer(() => redis.disconnect());
  const prefix = uniquePrefix();
  const out = join(folder, "out");
  const path = join(folder, "prompts.jsonl");
  const identity = profileIdentity(profile);
  const dataset = (count: number) =>
    writeFileSync(
      path,
      promptRows(count)
        .map((row) => `${JSON.stringify(row)}\n`)
        .join(""),
    );
  dataset(prompts);
  const settings = (changes: Partial<RunSettings> = {}): RunSettings => ({
    source: { path, format: "jsonl", promptColumn: "prompt", paramFrom: {} },
    profile: identity,
    model: "imagemill-sim-1",
    parameters: {},
    numGenerations: 1,
    maxGenerationsPerCall: 1,
    limit: null,
    attempts: 3,
    maxCostUsd: null,
    pricePerImageUsd: null,
    timeoutMs: 30_000,
    durable: false,
    seed: 42,
    ...changes,
  });
  return {
    simulator,
    redis,
    prefix,
    keys: laneKeys(prefix, laneName(identity, "imagemill-sim-1")),
    out,
    dataset,
    settings,
    open: async (changes = {}, changed = {}) => {
      const run = await openRun({
        out,
        settings: settings(changed),
        queue: async () => ({ redis: target, isPrivate: false }),
        passThrough: false,
        prefix,
        graceMs: 5_000,
        ...changes,
      });
      stack.defer(async () => {
        run.stop({ state: "stopped", text: "the test is over" });
        // What it ended with is for the test to look at.
        await Promise.allSettled([run.finished]);
      });
      return run;
    },
    work: async (options = {}) => {
      const worker = await createWorker({
        redis: target,
        prefix,
        profiles: [profile],
        concurrency: 4,
        ...options,
      });
      stack.defer(() => worker.close(0).then(() => undefined));
      return worker;
    },
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}
