import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { hostname, tmpdir } from "node:os";
import { join } from "node:path";
import type { Queue } from "bullmq";
import { jobId, jobNames, jobOptions, type PromptJob } from "../../shared/job.ts";
import { laneKeys, lanesKey, type LaneKeys } from "../../shared/keys.ts";
import type { LaneCard } from "../../shared/lane-card.ts";
import { openLaneQueue } from "../../shared/lane-queue.ts";
import { laneName } from "../../shared/lane.ts";
import { readHeartbeats } from "../../shared/lane-state.ts";
import type { Heartbeat } from "../../shared/heartbeat.ts";
import { silentLog, type Log } from "../../shared/log.ts";
import { profileIdentity, type Profile } from "../../shared/profile.ts";
import { connectRedis, type RedisClient } from "../../shared/redis.ts";
import { RedisPulse } from "../../shared/redis-pulse.ts";
import { parseRedisTarget } from "../../shared/redis-target.ts";
import type { Registration } from "../../shared/registration.ts";
import { textsOf } from "../../shared/result-entry.ts";
import { PromptResult } from "../../shared/result.ts";
import { writeRunFile, type RunFile } from "../../shared/run-file.ts";
import { stateFolder } from "../../shared/state-files.ts";
import { startSimulator, type Simulator } from "../../simulator/simulator.ts";
import type { SimulatorOptions } from "../../simulator/settings.ts";
import { AnswerMemory } from "../../worker/answer-memory.ts";
import { LaneService } from "../../worker/lane-service.ts";
import type { ModelFactory } from "../../worker/run-contexts.ts";
import { Solitude } from "../../worker/solitude.ts";
import type { WorkerObserver } from "../../worker/observer.ts";
import { createModel } from "../../worker/providers/index.ts";
import { type TestRedis, uniquePrefix } from "./redis.ts";
import { testRun } from "./test-run.ts";
import { until } from "./until.ts";

/** What a lane's worker is made of, where it differs from the lane's. */
export interface ServeOptions {
  concurrency?: number;
  profile?: Profile;
  createModel?: ModelFactory;
  log?: Log;
  observer?: WorkerObserver;
  patienceMs?: number;
}

/** A lane with one run in it, its simulated provider, and a producer's view of both. */
export interface TestLane extends AsyncDisposable {
  readonly simulator: Simulator;
  readonly run: RunFile;
  /** The run directory. */
  readonly directory: string;
  readonly prefix: string;
  readonly lane: string;
  readonly keys: LaneKeys;
  readonly redis: RedisClient;
  readonly queue: Queue;
  readonly profile: Profile;
  register(changes?: Partial<Registration>): Promise<void>;
  /** Removes all that Redis knows of it, and registers its run again as a producer does. */
  empty(): Promise<void>;
  /** Adds the prompt job of an index and gives its id. */
  add(index: number, changes?: Partial<PromptJob>): Promise<string>;
  /** Starts a worker's service of the lane; it ends with the lane. */
  serve(options?: ServeOptions): Promise<LaneService>;
  /** Waits until so many results are in the stream, and gives all, by index. */
  results(count: number): Promise<PromptResult[]>;
  heartbeats(): Promise<Heartbeat[]>;
  /** Redis keys that belong to jobs. */
  jobKeys(): Promise<string[]>;
}

export interface TestLaneOptions {
  run?: Partial<RunFile>;
  simulator?: SimulatorOptions;
}

/** The prompt that the job of an index has. */
export function promptOfIndex(index: number): string {
  return `prompt ${index} of a lane`;
}

/** Opens a lane with a running run; use it with `await using`. */
export async function openTestLane(
  server: TestRedis,
  options: TestLaneOptions = {},
): Promise<TestLane> {
  const stack = new AsyncDisposableStack();
  const directory = await mkdtemp(join(tmpdir(), "imagemill-lane-"));
  stack.defer(() => rm(directory, { recursive: true, force: true }));
  const simulator = stack.use(await startSimulator(options.simulator));
  const profile: Profile = {
    name: "test",
    kind: "openai",
    keyVariable: "TEST_KEY",
    baseUrl: `${simulator.url}/v1`,
  };
  const identity = profileIdentity(profile);
  const run = testRun({ profile: identity, ...options.run });
  await mkdir(join(directory, stateFolder));
  await writeRunFile(directory, run);
  const connect = (role: "worker" | "producer") => {
    const client = connectRedis(parseRedisTarget(server.url), { role });
    client.on("error", () => {});
    stack.defer(() => client.disconnect());
    return client;
  };
  const redis = connect("producer");
  const prefix = uniquePrefix();
  const lane = laneName(identity, run.model);
  const keys = laneKeys(prefix, lane);
  const queue = openLaneQueue(lane, keys, redis);
  queue.on("error", () => {});
  stack.defer(() => queue.close());

  const register = async (changes: Partial<Registration> = {}) => {
    const registration: Registration = {
      v: 1,
      run: run.id,
      round: run.round,
      revision: run.revision,
      location: directory,
      host: hostname(),
      state: "running",
      ...changes,
    };
    const card: LaneCard = { v: 1, profile: identity, model: run.model };
    await redis.hset(lanesKey(prefix), lane, JSON.stringify(card));
    await redis.hset(keys.runs, run.id, JSON.stringify(registration));
  };
  await register();

  return {
    simulator,
    run,
    directory,
    prefix,
    lane,
    keys,
    redis,
    queue,
    profile,
    register,
    empty: async () => {
      await redis.del(...(await redis.keys(`${prefix}:*`)));
      await register();
    },
    add: async (index, changes = {}) => {
      const id = jobId(run.id, run.round, index);
      const job: PromptJob = {
        v: 1,
        run: run.id,
        round: run.round,
        index,
        prompt: promptOfIndex(index),
        numGenerations: run.numGenerations,
        ...changes,
      };
      await queue.add(jobNames.prompt, job, jobOptions(id));
      return id;
    },
    serve: async (given = {}) => {
      const connection = connect("worker");
      const pulse = new RedisPulse(connection, keys.runs);
      stack.defer(() => pulse.stop());
      pulse.start(() => undefined);
      const service = new LaneService({
        worker: uniquePrefix(),
        lane,
        prefix,
        profile,
        concurrency: 4,
        redis: connection,
        pulse,
        createModel,
        log: silentLog,
        solitude: new Solitude(),
        memory: new AnswerMemory(),
        onError: () => {},
        ...given,
      });
      // A service closes before its connection does.
      stack.defer(() => service.close(0).then(() => undefined));
      await service.start();
      return service;
    },
    results: async (count) => {
      let texts: string[] = [];
      await until(async () => {
        const entries = await redis.xrange(keys.results(run.id), "-", "+");
        texts = entries.flatMap(([, fields]) => textsOf(fields));
        if (texts.length < count) throw new Error(`Expected ${count} results, got ${texts.length}`);
      });
      const results = texts.map((text) => PromptResult.parse(JSON.parse(text)));
      return results.toSorted((a, b) => a.index - b.index);
    },
    heartbeats: () => readHeartbeats(redis, keys),
    jobKeys: async () =>
      (await redis.keys(`${keys.queuePrefix}:${lane}:*`)).filter((key) => key.includes(run.id)),
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}
