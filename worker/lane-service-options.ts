import type { Telemetry } from "bullmq";
import type { Log } from "../shared/log.ts";
import type { S3Options } from "../shared/open-store.ts";
import type { RedisClient } from "../shared/redis.ts";
import type { RedisPulse } from "../shared/redis-pulse.ts";
import type { AnswerMemory } from "./answer-memory.ts";
import type { WorkerObserver } from "./observer.ts";
import type { ModelFactory, OpenStorage, WorkerProfile } from "./run-contexts.ts";
import type { Solitude } from "./solitude.ts";

/** What a lane service needs. */
export interface LaneServiceOptions {
  worker: string;
  lane: string;
  prefix: string;
  profile: WorkerProfile;
  /** Calls in flight here at most. */
  concurrency: number;
  /** Made for workers; stays the caller's. BullMQ makes a second one like it for its blocking reads. */
  redis: RedisClient;
  /** Whether that answers; the caller's, too. */
  pulse: RedisPulse;
  createModel: ModelFactory;
  /** One for all lanes of the process. */
  solitude: Solitude;
  /** One for all lanes of the process, too. */
  memory: AnswerMemory;
  storageRoot?: string | undefined;
  openStorage?: OpenStorage | undefined;
  s3?: S3Options | undefined;
  /** Nothing can be in flight in another worker. */
  isOnlyWorker?: boolean | undefined;
  /** How long a provider that is away is waited for, whatever is left to ask it for. Default 15 minutes. */
  patienceMs?: number | undefined;
  log: Log;
  /** Told of what goes wrong in Redis, which comes by the thousand. */
  onError: (error: Error) => void;
  /** Default: nobody. */
  observer?: WorkerObserver | undefined;
  /** Where BullMQ tells of its jobs, such as `bullmq-otel`. Default: nowhere. */
  telemetry?: Telemetry | undefined;
}
