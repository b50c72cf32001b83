import { z } from "zod";
import { createWorker as createImageWorker, type ImageWorker } from "../worker/create-worker.ts";
import type { WorkerOptions } from "../worker/worker-options.ts";
import { parseOptions } from "../worker/providers/model-options.ts";
import { profileOf, type Provider } from "./provider.ts";
import { redisSource, type RedisInput } from "./redis-input.ts";

/** What {@link createWorker} takes. */
export interface CreateWorkerOptions extends Pick<
  WorkerOptions,
  | "lanes"
  | "storageRoot"
  | "s3"
  | "openStorage"
  | "isOnlyWorker"
  | "proxy"
  | "prefix"
  | "log"
  | "observer"
  | "telemetry"
> {
  redis: RedisInput;
  /** The providers that it can reach: it serves the lanes of these, also those that producers open later. */
  providers: readonly Provider[];
  /** Calls in flight at once at most, per lane; fewer where the provider's pace asks for it. Default 100. */
  concurrency?: number | undefined;
}

const unknown = z.unknown().optional();
const Options = z.object({
  redis: unknown,
  providers: z.array(unknown).min(1),
  concurrency: z.int().min(1).optional(),
  lanes: z.array(z.string()).optional(),
  storageRoot: z.string().optional(),
  s3: z.record(z.string(), z.unknown()).optional(),
  openStorage: unknown,
  isOnlyWorker: z.boolean().optional(),
  proxy: unknown,
  prefix: z.string().min(1).optional(),
  log: unknown,
  observer: unknown,
  telemetry: unknown,
});

/**
 * Starts a worker in this process. Close it, or dispose of it, to end it: `close` finishes calls in flight.
 * @throws UsageError for wrong options; an error where Redis cannot be reached
 */
export async function createWorker(options: CreateWorkerOptions): Promise<ImageWorker> {
  parseOptions("createWorker", Options, options);
  const { redis, providers, concurrency = 100, ...rest } = options;
  const profiles = providers.map(profileOf);
  return await createImageWorker({ ...rest, redis: redisSource(redis), profiles, concurrency });
}
