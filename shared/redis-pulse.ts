import type { RedisClient } from "./redis.ts";
import { redisMessage } from "./redis-message.ts";
import { repeat } from "./repeat.ts";

/** How often Redis is asked whether it is there. */
const askMs = 500;
const tickMs = 250;
/** Most that one tick counts: the time in which this process stood still, or its machine slept, is no silence of Redis. */
const mostTickMs = 2 * tickMs;
/** What errors say that come of the silence itself, or of the connection's end. */
const tellsNothing =
  /^(Socket timeout|Command timed out|Connection is closed|Reached the max retries)/;
/** Silence that is worth telling of: longer than a pause of a healthy server. */
const silenceWorthTellingMs = 3_000;

/**
 * Asks Redis again and again and knows for how long it has answered nothing. One that takes connections and is silent gives
 * no error: what waits for it just waits, until the socket's own limit of half a minute.
 */
export class RedisPulse {
  readonly #redis: RedisClient;
  readonly #key: string;
  readonly #stopped = new AbortController();
  #timer: NodeJS.Timeout | undefined;
  #silentMs = 0;
  #tickedAt = 0;
  #isTold = false;
  /** What the connection said last, while there is none. */
  #error: unknown;

  /** `key`: any key that may be read, of the node that matters where there are several. */
  constructor(redis: RedisClient, key: string) {
    this.#redis = redis;
    this.#key = key;
  }

  /** Milliseconds since Redis answered last, or since the start: it is asked all the time. */
  get silentMs(): number {
    return this.#silentMs;
  }

  /** What is wrong with Redis, for people; undefined while it answers. */
  get trouble(): string | undefined {
    if (this.#silentMs < silenceWorthTellingMs) return undefined;
    return this.describe();
  }

  /** What the silence so far is, for people; `where` may follow the word Redis. */
  describe(where = ""): string {
    const time = `has not answered for ${Math.round(this.#silentMs / 1000)} s`;
    if (this.#error !== undefined) return `Redis${where} ${time}: ${redisMessage(this.#error)}`;
    // Packets that nobody refuses: a host that is gone, a firewall, a server that does not speak TLS.
    if (this.#redis.status === "connecting") return `Redis${where} ${time}: still connecting`;
    return `Redis${where} takes connections, but ${time}`;
  }

  /**
   * Begins to ask. `onSilence` is told, once each time, of a silence that gives no error of its own; `onTick` is called a few
   * times a second.
   */
  start(onSilence: (text: string) => void, onTick = (): void => undefined): void {
    this.#tickedAt = performance.now();
    this.#redis.on("connect", this.#forget);
    this.#redis.on("error", this.#note);
    this.#redis.on("node error", this.#note);
    void repeat(askMs, this.#stopped.signal, () => this.#ask(), this.#note);
    this.#timer = setInterval(() => {
      this.#tick(onSilence);
      onTick();
    }, tickMs).unref();
  }

  stop(): void {
    this.#stopped.abort();
    clearInterval(this.#timer);
    this.#redis.off("connect", this.#forget);
    this.#redis.off("error", this.#note);
    this.#redis.off("node error", this.#note);
  }

  async #ask(): Promise<void> {
    await this.#redis.exists(this.#key);
    this.#silentMs = 0;
    this.#error = undefined;
  }

  #tick(onSilence: (text: string) => void): void {
    const now = performance.now();
    this.#silentMs += Math.min(now - this.#tickedAt, mostTickMs);
    this.#tickedAt = now;
    if (this.trouble === undefined) this.#isTold = false;
    else if (!this.#isTold && this.#error === undefined) {
      this.#isTold = true;
      onSilence(this.describe());
    }
  }

  readonly #forget = (): void => void (this.#error = undefined);

  readonly #note = (error: unknown): void => {
    if (!tellsNothing.test(redisMessage(error))) this.#error = error;
  };
}
