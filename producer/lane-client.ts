import type { Queue } from "bullmq";
import type { Deaths } from "../shared/deaths.ts";
import { BudgetLedger } from "../shared/budget-ledger.ts";
import { jobNames, jobOptions } from "../shared/job.ts";
import { laneKeys, lanesKey, type LaneKeys } from "../shared/keys.ts";
import { dueTime } from "../shared/due-time.ts";
import type { LaneCard } from "../shared/lane-card.ts";
import { openLaneQueue } from "../shared/lane-queue.ts";
import { laneName } from "../shared/lane.ts";
import {
  pipelineValues,
  producedRuns,
  readHeartbeats,
  readLaneState,
  unpauseLane,
  type LaneState,
} from "../shared/lane-state.ts";
import type { Heartbeat } from "../shared/heartbeat.ts";
import type { RedisClient } from "../shared/redis.ts";
import type { Registration } from "../shared/registration.ts";
import { textsOf } from "../shared/result-entry.ts";
import { callsSentFor, removePromptJobs, runJobs } from "../shared/run-jobs.ts";
import { cutOff } from "../shared/cut-off.ts";
import { RedisPulse } from "../shared/redis-pulse.ts";
import { closeLimitMs, endsWithin } from "../shared/within.ts";
import { deathsInQueue } from "./deaths-in-queue.ts";
import { RunClaim } from "./run-claim.ts";
import type { InFlight } from "./window.ts";

/** Results in one read of the stream. */
const readCount = 512;

/** A result of the stream: the id of its entry, which may hold others, and its JSON text. */
export interface StreamEntry {
  id: string;
  text: string;
}

/** What a producer does in Redis for one run. Every method rejects while Redis is away: nothing is kept back in memory. */
export class LaneClient {
  readonly lane: string;
  /** The right to drive the run in this Redis. */
  readonly claim: RunClaim;
  /** Whether Redis answers; not started yet. */
  readonly pulse: RedisPulse;
  readonly #redis: RedisClient;
  readonly #blocking: RedisClient;
  readonly #keys: LaneKeys;
  readonly #prefix: string;
  readonly #card: LaneCard;
  readonly #queue: Queue;
  readonly #results: string;

  /** `redis` is for commands, `blocking` for waiting reads; both stay the caller's. `place` is the location of the run. */
  constructor(
    redis: RedisClient,
    blocking: RedisClient,
    prefix: string,
    card: Omit<LaneCard, "v">,
    { run, place }: { run: string; place: string },
  ) {
    this.lane = laneName(card.profile, card.model);
    this.#redis = redis;
    this.#blocking = blocking;
    this.#prefix = prefix;
    this.#card = { v: 1, ...card };
    this.#keys = laneKeys(prefix, this.lane);
    this.#queue = openLaneQueue(this.lane, this.#keys, redis);
    this.#results = this.#keys.results(run);
    this.pulse = new RedisPulse(redis, this.#keys.runs);
    this.claim = new RunClaim(redis, this.#keys.producer(run), { run, place });
  }

  onError(listener: (error: Error) => void): void {
    this.#queue.on("error", listener);
  }

  /** Makes lane and run known to workers. */
  async register(registration: Registration): Promise<void> {
    await this.#redis.hset(lanesKey(this.#prefix), this.lane, JSON.stringify(this.#card));
    await this.#redis.hset(this.#keys.runs, registration.run, JSON.stringify(registration));
  }

  async unregister(run: string): Promise<void> {
    await this.#redis.hdel(this.#keys.runs, run);
    await this.#redis.del(this.#results, this.#keys.producer(run));
  }

  /** Ids of the run's jobs that are in the queue, sub-jobs included, by the id of their prompt job. */
  runJobs(run: string): Promise<Map<string, string[]>> {
    return runJobs(this.#queue, run);
  }

  /** Takes a prompt's jobs out; gives the calls they had made, or undefined where a worker holds one of them. */
  async removeUnsettled(prompt: string, ids: readonly string[]): Promise<number | undefined> {
    const calls = await callsSentFor(this.#queue, ids);
    return (await removePromptJobs(this.#queue, prompt, ids)) ? calls : undefined;
  }

  async isRegistered(run: string): Promise<boolean> {
    return (await this.#redis.hexists(this.#keys.runs, run)) === 1;
  }

  /** What the run has spent and reserved, where it has a budget. */
  budget(run: string): BudgetLedger {
    return new BudgetLedger(this.#redis, this.#keys.budget(run));
  }

  state(): Promise<LaneState> {
    return readLaneState(this.#redis, this.#keys);
  }

  /**
   * When the lane's first delayed job is due, in milliseconds since 1970 by its worker's clock; undefined where there is none, or
   * another job may start now.
   */
  async nextTryAt(): Promise<number | undefined> {
    const [, score] = await this.#redis.zrange(
      this.#queue.keys["delayed"]!,
      "0",
      "0",
      "WITHSCORES",
    );
    if (score === undefined) return undefined;
    const { active = 0, wait = 0 } = await this.#queue.getJobCounts("active", "wait");
    return active + wait > 0 ? undefined : dueTime(score);
  }

  /**
   * Tells that the run has a living producer. Gives how many of the lane's running runs have one.
   * @throws RunLostError where another producer drives the run now
   */
  async beat({ runs }: LaneState): Promise<number> {
    const running = [...runs.values()].filter(({ state }) => state === "running");
    await this.claim.renew();
    const ids = running.map(({ run }) => run);
    return (await producedRuns(this.#redis, this.#keys, ids)).size;
  }

  heartbeats(): Promise<Heartbeat[]> {
    return readHeartbeats(this.#redis, this.#keys);
  }

  async unpause(): Promise<void> {
    await unpauseLane(this.#redis, this.#keys);
  }

  /**
   * Drops all jobs of the lane: only for a Redis that no other producer and no worker uses. Gives the deaths that jobs of
   * the run were in, by index: what was in hand is what the process died with; and the calls that its jobs had made.
   */
  async clear(run: string): Promise<{ deaths: Map<number, Deaths>; calls: number }> {
    const deaths = await deathsInQueue(this.#queue, run);
    const ids = [...(await this.runJobs(run)).values()].flat();
    const calls = await callsSentFor(this.#queue, ids);
    await this.#queue.obliterate({ force: true });
    return { deaths, calls };
  }

  /**
   * Adds prompt jobs, a repeated one for nothing. `addBulk` is a pipeline that hides errors, so every id is checked.
   * @throws Error where one was not added
   */
  async add(prompts: readonly InFlight[]): Promise<void> {
    const jobs = prompts.map(({ id, job }) => ({
      name: jobNames.prompt,
      data: job,
      opts: jobOptions(id),
    }));
    const added = await this.#queue.addBulk(jobs);
    const lost = added.findIndex((job, i) => job.id !== prompts[i]!.id);
    if (lost !== -1)
      throw new Error(`job ${prompts[lost]!.id} was not added: Redis answered ${added[lost]!.id}`);
  }

  /** Those of the prompts whose job is no longer in Redis. */
  async gone(prompts: readonly InFlight[]): Promise<InFlight[]> {
    if (prompts.length === 0) return [];
    const pipeline = this.#redis.pipeline();
    for (const { id } of prompts) pipeline.exists(this.#queue.toKey(id));
    const exists = pipelineValues(await pipeline.exec());
    return prompts.filter((_, i) => exists[i] === 0);
  }

  /** Takes a job and its sub-jobs out of the queue. False where a worker holds one of them: then nothing is removed. */
  async remove({ id }: InFlight): Promise<boolean> {
    return (await this.#queue.remove(id, { removeChildren: true })) === 1;
  }

  /**
   * Results from the start of the stream, or behind `after`; waits up to `blockMs` for the first. There is no cursor
   * between sessions: a Redis that was replaced may count from another time.
   */
  async results(after: string, blockMs?: number): Promise<StreamEntry[]> {
    const reply =
      blockMs === undefined
        ? await this.#redis.xread("COUNT", readCount, "STREAMS", this.#results, after)
        : await this.#blocking.xread(
            "COUNT",
            readCount,
            "BLOCK",
            blockMs,
            "STREAMS",
            this.#results,
            after,
          );
    return (reply?.[0]?.[1] ?? []).flatMap(([id, fields]) =>
      textsOf(fields).map((text) => ({ id, text })),
    );
  }

  /** Forgets the stream's entries up to and with `id`. */
  async trimResults(id: string): Promise<void> {
    const [time, sequence] = id.split("-");
    await this.#redis.xtrim(this.#results, "MINID", `${time}-${BigInt(sequence!) + 1n}`);
  }

  /** Gives Redis up: what waits for it rejects at once, and everything after. */
  cutOff(): void {
    cutOff(this.#redis);
    cutOff(this.#blocking);
  }

  async close(): Promise<void> {
    await endsWithin(closeLimitMs, this.#queue.close());
  }
}
