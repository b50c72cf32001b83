import type { Telemetry } from "bullmq";
import type { Log } from "../shared/log.ts";
import type { S3Options } from "../shared/open-store.ts";
import type { RedisSource } from "../shared/redis.ts";
import type { WorkerObserver } from "./observer.ts";
import type { ProxySettings } from "./providers/http.ts";
import type { ModelFactory, OpenStorage, WorkerProfile } from "./run-contexts.ts";

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
   * For runs at `s3://` locations: options of the SDK's client, `{}` to find credentials and region in its standard places.
   * Default: such runs are left to other workers.
   */
  s3?: S3Options | undefined;
  /** No other worker knows this Redis, so nothing can be in flight elsewhere. */
  isOnlyWorker?: boolean | undefined;
  /** Through which providers are asked. Default: none. */
  proxy?: ProxySettings | undefined;
  /** Default `imagemill`. */
  prefix?: string | undefined;
  /** Where images go. Default: the run's location itself. */
  openStorage?: OpenStorage | undefined;
  /** Makes models; default: the profile's own, or the built-in providers'. */
  createModel?: ModelFactory | undefined;
  log?: Log | undefined;
  /** Told of attempts, images and stalled jobs, such as `WorkerMetrics`. Default: nobody. */
  observer?: WorkerObserver | undefined;
  /** Where BullMQ tells of its jobs, such as `bullmq-otel`. Default: nowhere. */
  telemetry?: Telemetry | undefined;
}
