import { randomBytes } from "node:crypto";
import { EventEmitter } from "node:events";
import { hostname } from "node:os";
import type { Telemetry } from "bullmq";
import { defaultPrefix, lanesKey } from "../shared/keys.ts";
import { LaneCard } from "../shared/lane-card.ts";
import { silentLog, type Log } from "../shared/log.ts";
import { parseJson } from "../shared/parse-json.ts";
import { findModel } from "../shared/model-registry.ts";
import { isPublicHost, profileIdentity, type Profile } from "../shared/profile.ts";
import { limitErrors } from "../shared/limit-errors.ts";
import { connectRedis, type RedisClient, type RedisSource } from "../shared/redis.ts";
import { repeat } from "../shared/repeat.ts";
import { closeLimitMs, endsWithin } from "../shared/within.ts";
import { AnswerMemory } from "./answer-memory.ts";
import { LaneService } from "./lane-service.ts";
import type { WorkerObserver } from "./observer.ts";
import type { ProxySettings } from "./providers/http.ts";
import type { ModelFactory, OpenStorage, WorkerProfile } from "./run-contexts.ts";
import { Solitude } from "./solitude.ts";

/** What a worker is made of. */
export interface WorkerOptions {
  /** Where the queue is. */
  redis: RedisSource;
  /** The providers that it can reach: it serves the lanes of these. */
  profiles: readonly WorkerProfile[];
  /** Calls in flight at once, per lane. */
  concurrency: number;
  /** Only lanes whose name holds one of these; default: all of its profiles. */
  lanes?: readonly string[] | undefined;
  /** Folder where run directories are found under their own names, if not at the producer's path. */
  storageRoot?: string | undefined;
  /**
   * Bytes of answers in memory at most, by all lanes. Answers that are larger come one at a time; for what there is no room,
   * the provider is not read from. Default 128 MB.
   */
  answerBytes?: number | undefined;
  /** No other worker knows this Redis, so nothing can be in flight elsewhere. */
  isOnlyWorker?: boolean | undefined;
  /** Through which providers are asked. Default: none. */
  proxy?: ProxySettings | undefined;
  /** Default `imagemill`. */
  prefix?: string | undefined;
  /** Where images go. Default: the run directory itself. */
  openStorage?: OpenStorage | undefined;
  /** Makes models; default: the profile's own, or the built-in providers'. */
  createModel?: ModelFactory | undefined;
  log?: Log | undefined;
  /** Told of attempts, images and stalled jobs, such as `WorkerMetrics`. Default: nobody. */
  observer?: WorkerObserver | undefined;
  /** Where BullMQ tells of its jobs, such as `bullmq-otel`. Default: nowhere. */
  telemetry?: Telemetry | undefined;
}

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
  const { profiles, concurrency, prefix = defaultPrefix, log = silentLog } = options;
  const id = `${hostname()}-${process.pid}-${randomBytes(3).toString("hex")}`;
  const redis = connectRedis(options.redis, { role: "worker", name: `imagemill-worker-${id}` });
  const errors = new EventEmitter();
  const onError = (error: Error) => errors.emit("error", error);
  const stopListening = limitErrors(errors, (message, count) =>
    log.warn({ count }, `Redis: ${message}`),
  );
  redis.on("error", onError);
  const services = new Map<string, LaneService>();
  const solitude = new Solitude();
  const memory = new AnswerMemory(options.answerBytes);
  const refused = new Set<string>();
  const found = {
    ...options,
    prefix,
    log,
    id,
    redis,
    services,
    solitude,
    memory,
    refused,
    onError,
  };
  const lanesServed = () => discover({ ...found, profiles, concurrency });
  const closing = new AbortController();
  const disconnect = () => {
    stopListening();
    redis.disconnect();
  };
  try {
    await lanesServed();
  } catch (error) {
    disconnect();
    throw error;
  }
  const discovery = repeat(discoveryMs, closing.signal, lanesServed, onError);

  const end = async (graceMs: number | undefined): Promise<number> => {
    closing.abort();
    const abandoned = await Promise.all(
      Array.from(services.values(), (service) => service.close(graceMs)),
    );
    // Only now: what discovery still asks of a Redis that is away ends with the connection.
    disconnect();
    await endsWithin(closeLimitMs, discovery);
    return abandoned.reduce((sum, calls) => sum + calls, 0);
  };
  let ended: Promise<number> | undefined;
  const close = (graceMs?: number) => (ended ??= end(graceMs));
  return {
    id,
    callsInFlight: () =>
      Array.from(services.values(), ({ calls }) => calls.size).reduce((sum, n) => sum + n, 0),
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

interface Discovery extends Omit<WorkerOptions, "redis"> {
  id: string;
  prefix: string;
  log: Log;
  redis: RedisClient;
  services: Map<string, LaneService>;
  solitude: Solitude;
  memory: AnswerMemory;
  /** Models that are not served, and of which that was told. */
  refused: Set<string>;
  onError: (error: Error) => void;
}

/** Starts a service for each lane of our profiles that has none yet. */
async function discover(worker: Discovery): Promise<void> {
  const { redis, prefix, services } = worker;
  const lanes = await redis.hgetall(lanesKey(prefix));
  for (const [lane, text] of Object.entries(lanes)) {
    if (services.has(lane)) continue;
    if (worker.lanes && !worker.lanes.some((name) => lane.includes(name))) continue;
    const card = parseJson(LaneCard, text);
    const profile = card && worker.profiles.find((candidate) => isSame(candidate, card));
    if (!profile || isShutDown(worker, profile, card.model)) continue;
    const service = new LaneService({
      worker: worker.id,
      lane,
      prefix,
      profile,
      concurrency: worker.concurrency,
      redis,
      storageRoot: worker.storageRoot,
      openStorage: worker.openStorage,
      isOnlyWorker: worker.isOnlyWorker === true,
      createModel: worker.createModel ?? modelsOfProfiles(worker.proxy),
      solitude: worker.solitude,
      memory: worker.memory,
      log: worker.log,
      observer: worker.observer,
      telemetry: worker.telemetry,
    });
    services.set(lane, service);
    try {
      await service.start(worker.onError);
    } catch (error) {
      // Tried again at the next look.
      services.delete(lane);
      await service.close(0);
      throw error;
    }
  }
}

/** Whether the provider's own service no longer has the model: then no call is made. Says so once. */
function isShutDown({ log, refused }: Discovery, profile: Profile, model: string): boolean {
  const { shutdownOn } = findModel(profile.kind, model);
  const today = new Date().toISOString().slice(0, 10);
  if (!isPublicHost(profile) || shutdownOn === undefined || shutdownOn > today) return false;
  if (!refused.has(model))
    log.error({ model }, `not served: ${profile.name} shut it down on ${shutdownOn}`);
  refused.add(model);
  return true;
}

function isSame(profile: Profile, { profile: wanted }: LaneCard): boolean {
  const { name, kind, hash } = profileIdentity(profile);
  return name === wanted.name && kind === wanted.kind && hash === wanted.hash;
}
