import { createHash } from "node:crypto";
import { z } from "zod";
import type { LaneKeys } from "../shared/keys.ts";
import type { LaneLimits } from "../shared/lane-limits.ts";
import type { RedisClient } from "../shared/redis.ts";
import { paceScript } from "./pace-script.ts";

/** What a worker tells when it asks to start calls. */
export interface TakeRequest {
  /** Calls that it has in flight now. */
  calls: number;
  /** Calls that were answered since it last asked, and how long they took on average. */
  answered: number;
  latencyMs: number;
  limits: LaneLimits;
  /** Images of each call that waits, the first to start first. */
  images: readonly number[];
}

/** What a worker may do. */
export interface Grant {
  /** So many of the calls that wait may start now. */
  calls: number;
  /** When to ask again for the rest. */
  waitMs: number;
  /** What keeps the rest from starting. */
  why: "" | "hold" | "window" | "rate";
  /** Calls that the lane may have in flight. */
  window: number;
  /** Images a minute that the lane tries; 0: as many as there are calls. */
  imagesPerMinute: number;
  /** Images that one call may ask for, where the provider said so; else 0. */
  perCall: number;
}

/** A refusal by the provider for the sake of its limits. */
export interface RefusedCall {
  ageMs: number;
  images: number;
  /** What there was too much of. */
  kind: "rate" | "concurrency";
  /** How long the provider asks to wait. */
  retryAfterMs: number | undefined;
  message: string;
  /** Calls that the worker has in flight. */
  calls: number;
  /** Limits that it told. */
  limits?: LaneLimits | undefined;
}

const sha = createHash("sha1").update(paceScript).digest("hex");

const GrantReply = z
  .tuple([
    z.number(),
    z.number(),
    z.enum(["", "hold", "window", "rate"]),
    z.number(),
    z.number(),
    z.number(),
  ])
  .transform(([calls, waitMs, why, window, imagesPerMinute, perCall]): Grant => ({
    calls,
    waitMs,
    why,
    window,
    imagesPerMinute,
    perCall,
  }));

/**
 * The pace of a lane, which all its workers share through Redis. `now` is for tests; default: Redis' own clock.
 */
export class Pace {
  readonly #redis: RedisClient;
  readonly #keys: string[];
  readonly #worker: string;
  readonly #now: () => number;

  constructor(redis: RedisClient, keys: LaneKeys, worker: string, now: () => number = () => 0) {
    this.#redis = redis;
    this.#keys = [keys.pace, keys.inFlight, keys.hold];
    this.#worker = worker;
    this.#now = now;
  }

  /** Asks to start calls. */
  async take({ calls, answered, latencyMs, limits, images }: TakeRequest): Promise<Grant> {
    const { imagesPerMinute = 0, requestsPerMinute = 0 } = limits;
    const told = [calls, answered, latencyMs, imagesPerMinute, requestsPerMinute];
    return GrantReply.parse(await this.#run("take", ...told, ...images));
  }

  /** Holds the lane after a refusal and slows it down; gives the milliseconds of the hold. */
  async refused({
    ageMs,
    images,
    kind,
    retryAfterMs,
    message,
    calls,
    limits = {},
  }: RefusedCall): Promise<number> {
    const reply = await this.#run(
      "refused",
      ageMs,
      images,
      kind,
      retryAfterMs ?? -1,
      message,
      calls,
      limits.imagesPerMinute ?? 0,
      limits.requestsPerMinute ?? 0,
    );
    return z.number().parse(reply);
  }

  /** Holds the lane for so long at least. */
  async hold(ms: number, reason: string): Promise<void> {
    await this.#run("hold", ms, reason);
  }

  /** A call of that age was not answered in time: half as many at once. */
  async slow(ageMs: number): Promise<void> {
    await this.#run("slow", ageMs);
  }

  /** Limits that the provider told; `perCall`: images that one call may ask for. */
  async told(limits: LaneLimits, perCall = 0): Promise<void> {
    await this.#run("told", limits.imagesPerMinute ?? 0, limits.requestsPerMinute ?? 0, perCall);
  }

  async #run(command: string, ...given: (string | number)[]): Promise<unknown> {
    const args = [...this.#keys, command, this.#now(), this.#worker, ...given];
    try {
      return await this.#redis.evalsha(sha, this.#keys.length, ...args);
    } catch (error) {
      // Redis is new, or was restarted.
      if (!(error instanceof Error) || !error.message.startsWith("NOSCRIPT")) throw error;
      return await this.#redis.eval(paceScript, this.#keys.length, ...args);
    }
  }
}
