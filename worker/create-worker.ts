import { randomBytes } from "node:crypto";
import { EventEmitter } from "node:events";
import { hostname } from "node:os";
import { defaultPrefix, lanesKey } from "../shared/keys.ts";
import { isLostLock } from "../shared/queue-error.ts";
import { limitErrors } from "../shared/limit-errors.ts";
import { silentLog, type Log } from "../shared/log.ts";
import { normalizeMessage } from "../shared/normalize-message.ts";
import { connectRedis, type RedisClient } from "../shared/redis.ts";
import { RedisPulse } from "../shared/redis-pulse.ts";
import { repeat } from "../shared/repeat.ts";
import { SparseTelling } from "../shared/sparse-telling.ts";
import { closeLimitMs, endsWithin } from "../shared/within.ts";
import { AnswerMemory } from "./answer-memory.ts";
import type { ProxySettings } from "./providers/http.ts";
import type { ModelFactory } from "./run-contexts.ts";
import { ServedLanes } from "./served-lanes.ts";
import { Solitude } from "./solitude.ts";
import type { WorkerOptions } from "./worker-options.ts";

/** A running worker. */
export interface ImageWorker extends AsyncDisposable {
  readonly id: string;
  /** Calls in flight now. */
  callsInFlight(): number;
  /** For how long Redis has answered nothing, though it is asked twice a second. */
  readonly redisSilentMs: number;
  /** Rejects, or does not end, where Redis cannot be reached. */
  pingRedis(): Promise<unknown>;
  /**
   * Finishes calls in flight and hands the rest back; after `graceMs` (default: the longest call timeout of the runs
   * served) gives up. Returns how many calls it gave up.
   */
  close(graceMs?: number): Promise<number>;
}

/** How often a worker looks for new lanes. */
const discoveryMs = 1_000;

/**
 * Starts a worker: it serves every lane of its profiles, also those that producers open later.
 */
export async function createWorker(options: WorkerOptions): Promise<ImageWorker> {
  const worker = new RunningWorker(options);
  await worker.start();
  return worker;
}

class RunningWorker implements ImageWorker {
  readonly id = `${hostname()}-${process.pid}-${randomBytes(3).toString("hex")}`;
  readonly #redis: RedisClient;
  readonly #pulse: RedisPulse;
  readonly #errors = new EventEmitter();
  readonly #log: Log;
  readonly #stopListening: () => void;
  readonly #lostLocks = new SparseTelling();
  readonly #served: ServedLanes;
  readonly #closing = new AbortController();
  #discovery: Promise<void> | undefined;
  #ended: Promise<number> | undefined;

  constructor(options: WorkerOptions) {
    const { prefix = defaultPrefix, log = silentLog } = options;
    this.#log = log;
    const name = `imagemill-worker-${this.id}`;
    this.#redis = connectRedis(options.redis, { role: "worker", name });
    this.#redis.on("error", this.#onError);
    this.#stopListening = limitErrors(this.#errors, (message, count) =>
      log.warn({ count }, `Redis: ${message}`),
    );
    this.#pulse = new RedisPulse(this.#redis, lanesKey(prefix));
    this.#pulse.start((silence) => log.warn({}, `${silence}: calls in flight go on, others wait`));
    this.#served = new ServedLanes({
      ...options,
      worker: this.id,
      prefix,
      log,
      redis: this.#redis,
      pulse: this.#pulse,
      createModel: options.createModel ?? modelsOfProfiles(options.proxy),
      solitude: new Solitude(),
      memory: new AnswerMemory(),
      onError: this.#onError,
    });
  }

  async start(): Promise<void> {
    const discover = () => this.#served.discover();
    try {
      await discover();
    } catch (error) {
      await this.close(0);
      throw error;
    }
    this.#discovery = repeat(discoveryMs, this.#closing.signal, discover, this.#onError);
  }

  callsInFlight(): number {
    return this.#served.callsInFlight;
  }

  get redisSilentMs(): number {
    return this.#pulse.silentMs;
  }

  pingRedis(): Promise<unknown> {
    return this.#redis.ping();
  }

  close(graceMs?: number): Promise<number> {
    return (this.#ended ??= this.#end(graceMs));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close(0);
  }

  async #end(graceMs: number | undefined): Promise<number> {
    this.#closing.abort();
    const abandonedCalls = await this.#served.close(graceMs);
    // Only now: what discovery still asks of a Redis that is away ends with the connection.
    this.#stopListening();
    this.#lostLocks.close();
    this.#pulse.stop();
    this.#redis.disconnect();
    if (this.#discovery) await endsWithin(closeLimitMs, this.#discovery);
    return abandonedCalls;
  }

  readonly #onError = (error: Error): void => {
    // What still waits for a silent Redis when the worker ends has nothing more to say.
    if (this.#closing.signal.aborted && this.#pulse.silentMs >= closeLimitMs) return;
    // After an outage each job in hand says so: another worker has it, or will, and nobody has to do anything.
    if (isLostLock(error)) this.#tellLostLock(error);
    else this.#errors.emit("error", error);
  };

  #tellLostLock({ message }: Error): void {
    const count = (times: number) =>
      this.#log.debug({ count: times }, `a job was no longer this worker's: ${message}`);
    this.#lostLocks.tell(normalizeMessage(message), { full: () => count(1), count });
  }
}

/** Providers' clients are heavy: loaded when the first run needs one. */
function modelsOfProfiles(proxy: ProxySettings | undefined): ModelFactory {
  return async (profile, model, options) => {
    const { timeoutMs } = options;
    if (profile.createModel) return await profile.createModel(model, { timeoutMs });
    const { createModel } = await import("./providers/index.ts");
    return await createModel(profile, model, { ...options, ...(proxy && { proxy }) });
  };
}
