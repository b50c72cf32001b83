import { Collector } from "../../producer/collector.ts";
import { Journal } from "../../producer/journal.ts";
import { LaneClient } from "../../producer/lane-client.ts";
import { acquireRunLock, type RunLock } from "../../producer/run-lock.ts";
import { Settled } from "../../producer/settled.ts";
import { type InFlight, Window } from "../../producer/window.ts";
import { jobId } from "../../shared/job.ts";
import { laneKeys, type LaneKeys } from "../../shared/keys.ts";
import { readJournal } from "../../shared/journal-reader.ts";
import { silentLog } from "../../shared/log.ts";
import type { JournalLine } from "../../shared/journal-line.ts";
import { entryOf } from "../../shared/result-entry.ts";
import { connectRedis, type RedisClient } from "../../shared/redis.ts";
import { parseRedisTarget } from "../../shared/redis-target.ts";
import type { PromptResult } from "../../shared/result.ts";
import type { RunFile } from "../../shared/run-file.ts";
import { type TestRedis, uniquePrefix } from "../helpers/redis.ts";
import { testRun } from "../helpers/test-run.ts";
import { collect } from "./collect.ts";
import { stateFolderPaths } from "./test-lines.ts";

/** A producer's parts around a lane that has no worker: the test plays it. */
export interface ProducerStage extends AsyncDisposable {
  readonly directory: string;
  readonly run: RunFile;
  readonly redis: RedisClient;
  readonly keys: LaneKeys;
  readonly lane: LaneClient;
  readonly lock: RunLock;
  readonly window: Window;
  readonly settled: Settled;
  readonly collector: Collector;
  /** Batches of indexes, as they were reported settled. */
  readonly batches: number[][];
  /** A prompt in the window, added long ago. */
  prompt(index: number): InFlight;
  result(index: number, changes?: Partial<PromptResult>): PromptResult;
  /** Adds results to the run's stream, as a worker does. */
  report(...results: PromptResult[]): Promise<void>;
  journaled(): Promise<JournalLine[]>;
}

/** Opens the stage; use it with `await using`. */
export async function openProducerStage(
  server: TestRedis,
  changes: Partial<RunFile> = {},
): Promise<ProducerStage> {
  const stack = new AsyncDisposableStack();
  const { directory, journal: path } = stateFolderPaths();
  const run = testRun(changes);
  const connect = () => {
    const client = connectRedis(parseRedisTarget(server.url), { role: "producer" });
    client.on("error", () => {});
    stack.defer(() => client.disconnect());
    return client;
  };
  const redis = connect();
  const prefix = uniquePrefix();
  const lane = new LaneClient(
    redis,
    connect(),
    prefix,
    { profile: run.profile, model: run.model },
    { run: run.id, place: directory },
  );
  lane.onError(() => {});
  stack.defer(() => lane.close());
  const keys = laneKeys(prefix, lane.lane);
  const lock = stack.use(await acquireRunLock(directory));
  const journal = stack.use(await Journal.open(path, 0, lock));
  const window = new Window();
  const settled = new Settled(run);
  const batches: number[][] = [];
  const onSettled = (lines: readonly JournalLine[]) =>
    void batches.push(lines.map(({ index }) => index));
  const collector = new Collector({
    run: run.id,
    round: run.round,
    lane,
    journal,
    settled,
    window,
    log: silentLog,
    onSettled,
  });
  const { numGenerations, round, id } = run;
  return {
    directory,
    run,
    redis,
    keys,
    lane,
    lock,
    window,
    settled,
    collector,
    batches,
    prompt: (index) => {
      const job = {
        v: 1 as const,
        run: id,
        round,
        index,
        prompt: `prompt ${index}`,
        numGenerations,
      };
      const row = { prompt: job.prompt, columns: { row: index } };
      const prompt = {
        id: jobId(id, round, index),
        row,
        job,
        bytes: 8,
        addedAt: Date.now() - 60_000,
      };
      window.add(prompt);
      return prompt;
    },
    result: (index, more = {}) => ({
      v: 1,
      run: id,
      round,
      index,
      numGenerations,
      state: "failed",
      images: [],
      failures: [],
      attempts: [],
      ...more,
    }),
    report: async (...results) => {
      for (const result of results)
        await redis.xadd(keys.results(id), "*", ...entryOf([JSON.stringify(result)]));
    },
    journaled: async () => (await collect(readJournal(path))).map(({ line }) => line),
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}
