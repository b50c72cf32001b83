import { createHash } from "node:crypto";
import { z } from "zod";
import type { LaneKeys } from "../shared/keys.ts";
import type { LaneLimits } from "../shared/lane-limits.ts";
import type { RedisClient } from "../shared/redis.ts";
import { paceScript } from "./pace-script.ts";
import { noTokens, type TokenSums } from "./token-count.ts";
import type { TokenGuess } from "./token-guess.ts";

/** What a worker tells when it asks to start calls. */
export interface TakeRequest {
  /** Calls that it has in flight now. */
  calls: number;
  /** Calls that were answered since it last asked, and how long they took on average. */
  answered: number;
  latencyMs: number;
  /** What calls that were answered since then told of their tokens. */
  tokens?: TokenSums;
  limits: LaneLimits;
  /** Images of each call that waits, the first to start first. */
  images: readonly number[];
  /** The tokens that each of them may take. Default: none. */
  guesses?: readonly TokenGuess[];
}

/** What a worker may do. */
export interface Grant {
  /** So many of the calls that wait may start now. */
  calls: number;
  /** When to ask again for the rest. */
  waitMs: number;
  /** What keeps the rest from starting. */
  why: "" | "hold" | "window" | "rate" | "tokens";
  /** Calls that the lane may have in flight. */
  window: number;
  /** Images a minute that the lane tries, by the limits that are known, too; 0: as many as there are calls. */
  imagesPerMinute: number;
  /** Images that one call may ask for, where the provider said so; else 0. */
  perCall: number;
  /** The limit on tokens that is kept; 0: none. */
  tokensPerMinute: number;
  /** Tokens that answers told for each that was guessed; 0 while they told none. */
  tokenFactor: number;
  /** How long the lane has to wait. */
  holdMs: number;
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
  /** The tokens that it counted for the call, and those that were guessed. */
  tokensCounted?: number | undefined;
  guess?: TokenGuess | undefined;
}

const sha = createHash("sha1").update(paceScript).digest("hex");

const GrantReply = z
  .tuple([
    z.number(),
    z.number(),
    z.enum(["", "hold", "window", "rate", "tokens"]),
    z.number(),
    z.number(),
    z.number(),
    z.number(),
    // Redis cuts the numbers of a script to whole ones.
    z.coerce.number(),
    z.number(),
  ])
  .transform(([calls, waitMs, why, window, imagesPerMinute, perCall, ...rest]): Grant => {
    const [tokensPerMinute, tokenFactor, holdMs] = rest;
    const tokens = { tokensPerMinute, tokenFactor };
    return { calls, waitMs, why, window, imagesPerMinute, perCall, ...tokens, holdMs };
  });

/** A guess as the script reads it. */
function signed(guess: TokenGuess | undefined): number {
  if (!guess) return 0;
  return guess.isKnown ? guess.tokens : -guess.tokens;
}

/** Limits as the script reads them; 0: none. */
function inOrder(limits: LaneLimits): number[] {
  const { imagesPerMinute = 0, requestsPerMinute = 0, tokensPerMinute = 0 } = limits;
  return [imagesPerMinute, requestsPerMinute, tokensPerMinute];
}

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
  async take(request: TakeRequest): Promise<Grant> {
    const { calls, answered, latencyMs, tokens = noTokens, limits, images, guesses } = request;
    const reply = await this.#run(
      "take",
      calls,
      answered,
      latencyMs,
      ...inOrder(limits),
      tokens.answers,
      tokens.told,
      tokens.guessed,
      tokens.off,
      ...images.flatMap((n, i) => [n, signed(guesses?.[i])]),
    );
    return GrantReply.parse(reply);
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
    tokensCounted = 0,
    guess,
  }: RefusedCall): Promise<number> {
    const reply = await this.#run(
      "refused",
      ageMs,
      images,
      kind,
      retryAfterMs ?? -1,
      message,
      calls,
      ...inOrder(limits),
      tokensCounted,
      signed(guess),
    );
    return z.number().parse(reply);
  }

  /** A call for so many images that was let go was not taken, and the lane goes on as it was. */
  async turnedAway(images: number): Promise<void> {
    await this.#run("turned away", images);
  }

  /** Holds the lane for so long at least. */
  async hold(ms: number, reason: string): Promise<void> {
    await this.#run("hold", ms, reason);
  }

  /**
   * Makes good what Redis has lost of a hold that has so long to go at least, by this worker's clock. Gives the milliseconds
   * that are left of it; 0 where it was ended before its time.
   */
  async keep(ms: number, reason: string): Promise<number> {
    return z.number().parse(await this.#run("keep", ms, reason));
  }

  /** A call of that age was not answered in time: half as many at once. */
  async slow(ageMs: number): Promise<void> {
    await this.#run("slow", ageMs);
  }

  /** Limits that the provider told; `perCall`: images that one call may ask for. */
  async told(limits: LaneLimits, perCall = 0): Promise<void> {
    await this.#run("told", ...inOrder(limits), perCall);
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
