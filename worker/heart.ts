import { hostname } from "node:os";
import { heartbeatTtlMs, type Heartbeat } from "../shared/heartbeat.ts";
import { hostIdentity } from "../shared/host-identity.ts";
import type { LaneKeys } from "../shared/keys.ts";
import { readHeartbeats } from "../shared/lane-state.ts";
import type { RedisClient } from "../shared/redis.ts";
import { version } from "../shared/version.ts";

/** For how long heartbeats that were read are good enough. */
const recentMs = 400;

/** What differs from beat to beat. */
export type Pulse = Pick<Heartbeat, "fit" | "calls" | "unsentCalls" | "waiting" | "concurrency">;

/** Tells of this worker in its lane, and reads what others tell. */
export class Heart {
  readonly #redis: RedisClient;
  readonly #keys: LaneKeys;
  readonly #fixed: Pick<Heartbeat, "v" | "worker" | "host" | "machine" | "pid" | "version">;
  #hasBeaten = false;
  #recent: { at: number; list: Promise<Heartbeat[]> } | undefined;

  constructor(redis: RedisClient, keys: LaneKeys, worker: string) {
    this.#redis = redis;
    this.#keys = keys;
    const machine = hostIdentity();
    this.#fixed = {
      v: 1,
      worker,
      host: hostname(),
      machine,
      pid: process.pid,
      version,
    };
  }

  /** Gives whether Redis had forgotten this worker since it beat last: it was emptied, or the worker silent for too long. */
  async beat(pulse: Pulse): Promise<boolean> {
    const { worker } = this.#fixed;
    const heartbeat: Heartbeat = { ...this.#fixed, ...pulse, rssBytes: process.memoryUsage.rss() };
    await this.#redis.set(
      this.#keys.heartbeat(worker),
      JSON.stringify(heartbeat),
      "PX",
      heartbeatTtlMs,
    );
    const isNew = (await this.#redis.sadd(this.#keys.workers, worker)) === 1;
    const wasForgotten = isNew && this.#hasBeaten;
    this.#hasBeaten = true;
    return wasForgotten;
  }

  /** Leaves no heartbeat behind, where Redis can be reached. */
  async stop(): Promise<void> {
    if (this.#redis.status !== "ready") return;
    await this.#redis.del(this.#keys.heartbeat(this.#fixed.worker));
    await this.#redis.srem(this.#keys.workers, this.#fixed.worker);
  }

  /** Heartbeats of the lane's living workers, this one included, as they were a moment ago. */
  living(): Promise<Heartbeat[]> {
    const now = Date.now();
    if (!this.#recent || now - this.#recent.at > recentMs) {
      this.#recent = { at: now, list: readHeartbeats(this.#redis, this.#keys) };
    }
    return this.#recent.list;
  }
}
