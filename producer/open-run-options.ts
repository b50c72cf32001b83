import type { Log } from "../shared/log.ts";
import type { ModelCard } from "../shared/model-registry.ts";
import type { RedisSource } from "../shared/redis.ts";
import type { RunFile } from "../shared/run-file.ts";
import type { RunPlace } from "./run-place.ts";
import type { RunSettings } from "./run-settings.ts";
import type { Survey } from "./survey.ts";

/** A Redis to run over. */
export interface QueueAccess {
  redis: RedisSource;
  /** Started for this run alone: no other producer and no living worker knows it. */
  isPrivate: boolean;
}

/** What `openRun` takes. */
export interface OpenRunOptions {
  /** The run directory, or the location that `place` is. */
  out: string;
  /** Where the run is kept; closed with it. Default: the folder `out`. */
  place?: RunPlace | undefined;
  settings: RunSettings;
  /** Starts a new round that settles failures again: of these kinds, or of all (`null`). */
  retry?: { kinds: string[] | null } | undefined;
  /** Asked once, and only if something is to be done: a complete run needs no Redis. */
  queue(run: RunFile): Promise<QueueAccess>;
  /** Called once the run is known to workers, before the first prompt: the moment to start workers of one's own. */
  onOpened?: ((queue: QueueAccess) => Promise<void>) | undefined;
  /** Told when nothing is asked of the queue any more, before the output files are written: workers of one's own may end. */
  onLeft?: (() => void) | undefined;
  /** Told what the run has to do before it is begun; where it rejects, so does `openRun`, and nothing was begun. */
  approve?: ((survey: Survey) => Promise<void>) | undefined;
  /** Whether parameters that the model's schema does not know go to the server as they are. */
  passThrough: boolean;
  /** Of a model of one's own; default: what the registry has of the run's model. */
  card?: ModelCard | undefined;
  prefix?: string | undefined;
  /** Most prompts in Redis at once. */
  window?: number | undefined;
  /** The run stops when more prompts than this have failed. */
  maxFailures?: number | undefined;
  /** The run stops when Redis or storage are away longer than this. Default 15 minutes. */
  giveUpAfterMs?: number | undefined;
  /** How long calls in flight may go on once the run stops. Default: the call timeout. */
  graceMs?: number | undefined;
  log?: Log | undefined;
}
