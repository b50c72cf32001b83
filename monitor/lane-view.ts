import type { Queue } from "bullmq";
import { z } from "zod";
import type { Heartbeat } from "../shared/heartbeat.ts";
import { laneKeys, type LaneKeys } from "../shared/keys.ts";
import type { LaneCard } from "../shared/lane-card.ts";
import { openLaneQueue } from "../shared/lane-queue.ts";
import {
  pipelineValues,
  producedRuns,
  readHeartbeats,
  readLaneState,
  type LaneState,
} from "../shared/lane-state.ts";
import type { RedisClient } from "../shared/redis.ts";
import { jobStates, readRetries, type JobState, type WaitingRetries } from "./retries.ts";
import { type LanePace, readPace } from "./lane-pace.ts";
import { recent } from "./recent.ts";

const recentMs = 700;
/** The oldest of so many next jobs stands for the oldest of all: jobs that were tried go to the back. */
const oldestOf = 50;
/** Parents looked at for children that are gone. */
const parentsLookedAt = 200;

/** What a lane was doing a moment ago. */
export interface LaneSnapshot {
  lane: string;
  card: LaneCard;
  state: LaneState;
  workers: Heartbeat[];
  jobs: Record<JobState, number>;
  /** Since when the job that waits longest has been waiting, in milliseconds since 1970. */
  oldestWaitingSince: number | undefined;
  /** Prompt jobs that wait for sub-jobs of which none is left. */
  stuck: number;
  /** What was found out of the provider's limits; undefined before the first call. */
  pace: LanePace | undefined;
  /** Runs that have a living producer. */
  produced: ReadonlySet<string>;
}

const Timestamps = z.array(z.string().nullable());
const Ids = z.array(z.string());

/** One lane of a Redis, read for pages: never more often than every 0.7 s. */
export class LaneView {
  readonly lane: string;
  readonly queue: Queue;
  readonly #card: LaneCard;
  readonly #redis: RedisClient;
  readonly #keys: LaneKeys;
  readonly snapshot = recent(recentMs, () => this.#read());
  readonly retries = recent<WaitingRetries>(recentMs, () => readRetries(this.#redis, this.queue));

  constructor(redis: RedisClient, prefix: string, lane: string, card: LaneCard) {
    this.lane = lane;
    this.#card = card;
    this.#redis = redis;
    this.#keys = laneKeys(prefix, lane);
    this.queue = openLaneQueue(lane, this.#keys, redis);
    // Who asks is told; BullMQ tells of the same once more.
    this.queue.on("error", () => {});
  }

  get keys(): LaneKeys {
    return this.#keys;
  }

  /** Lets a delayed job be tried at once. False where it no longer was delayed. */
  async promote(id: string): Promise<boolean> {
    const job = await this.queue.getJob(id);
    if (!job || !(await job.isDelayed())) return false;
    try {
      await job.promote();
      return true;
    } catch (error) {
      // It became due between the two.
      if (!(await job.isDelayed())) return false;
      throw error;
    }
  }

  async #read(): Promise<LaneSnapshot> {
    const [state, workers, counts, oldestWaitingSince, stuck, pace] = await Promise.all([
      readLaneState(this.#redis, this.#keys),
      readHeartbeats(this.#redis, this.#keys),
      this.queue.getJobCounts(...jobStates),
      this.#oldest(),
      this.#stuck(),
      readPace(this.#redis, this.#keys),
    ]);
    const jobs = z.record(z.enum(jobStates), z.number()).parse(counts);
    const produced = await producedRuns(this.#redis, this.#keys, state.runs.keys());
    const { lane } = this;
    const seen = { lane, card: this.#card, state, workers, jobs, oldestWaitingSince, stuck };
    return { ...seen, pace, produced };
  }

  /** The next jobs are at the end of BullMQ's list. */
  async #oldest(): Promise<number | undefined> {
    const ids = await this.#redis.lrange(this.queue.toKey("wait"), -oldestOf, -1);
    const pipeline = this.#redis.pipeline();
    for (const id of ids) pipeline.hget(this.queue.toKey(id), "timestamp");
    const texts = Timestamps.parse(ids.length > 0 ? pipelineValues(await pipeline.exec()) : []);
    const times = texts.flatMap((text) => (text === null ? [] : Number(text)));
    return times.length > 0 ? Math.min(...times) : undefined;
  }

  async #stuck(): Promise<number> {
    const parents = await this.#redis.zrange(
      this.queue.toKey("waiting-children"),
      "0",
      String(parentsLookedAt - 1),
    );
    if (parents.length === 0) return 0;
    const asked = this.#redis.pipeline();
    for (const parent of parents) asked.smembers(this.queue.toKey(`${parent}:dependencies`));
    const children = pipelineValues(await asked.exec()).map((reply) => Ids.parse(reply));
    const looked = this.#redis.pipeline();
    for (const keys of children) looked.exists(...(keys.length > 0 ? keys : ["-"]));
    const left = pipelineValues(await looked.exec());
    return children.filter((keys, i) => keys.length > 0 && left[i] === 0).length;
  }

  async close(): Promise<void> {
    await this.queue.close();
  }
}
