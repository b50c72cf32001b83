import { randomBytes } from "node:crypto";
import { EventEmitter } from "node:events";
import { hostname } from "node:os";
import { defaultPrefix } from "../shared/keys.ts";
import { limitErrors } from "../shared/limit-errors.ts";
import { silentLog } from "../shared/log.ts";
import { connectRedis } from "../shared/redis.ts";
import { repeat } from "../shared/repeat.ts";
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
  const { prefix = defaultPrefix, log = silentLog } = options;
  const id = `${hostname()}-${process.pid}-${randomBytes(3).toString("hex")}`;
  const redis = connectRedis(options.redis, { role: "worker", name: `imagemill-worker-${id}` });
  const errors = new EventEmitter();
  const onError = (error: Error) => errors.emit("error", error);
  const stopListening = limitErrors(errors, (message, count) =>
    log.warn({ count }, `Redis: ${message}`),
  );
  redis.on("error", onError);
  const served = new ServedLanes({
    ...options,
    worker: id,
    prefix,
    log,
    redis,
    createModel: options.createModel ?? modelsOfProfiles(options.proxy),
    solitude: new Solitude(),
    memory: new AnswerMemory(options.answerBytes),
    onError,
  });
  const closing = new AbortController();
  const disconnect = () => {
    stopListening();
    redis.disconnect();
  };
  try {
    await served.discover();
  } catch (error) {
    await served.close(0);
    disconnect();
    throw error;
  }
  const discovery = repeat(discoveryMs, closing.signal, () => served.discover(), onError);

  const end = async (graceMs: number | undefined): Promise<number> => {
    closing.abort();
    const abandonedCalls = await served.close(graceMs);
    // Only now: what discovery still asks of a Redis that is away ends with the connection.
    disconnect();
    await endsWithin(closeLimitMs, discovery);
    return abandonedCalls;
  };
  let ended: Promise<number> | undefined;
  const close = (graceMs?: number) => (ended ??= end(graceMs));
  return {
    id,
    callsInFlight: () => served.callsInFlight,
    pingRedis: () => redis.ping(),
    close,
    [Symbol.asyncDispose]: async () => {
      await close(0);
    },
  };
}

/** Providers' clients are heavy: loaded when the first run needs one. */
function modelsOfProfiles(proxy: ProxySettings | undefined): ModelFactory {
  return async (profile, model, options) => {
    if (profile.createModel) return await profile.createModel(model, options);
    const { createModel } = await import("./providers/index.ts");
    return createModel(profile, model, { ...options, ...(proxy && { proxy }) });
  };
}
