import { resolve } from "node:path";
import { z } from "zod";
import type { OpenRunOptions as ProducerOptions } from "../producer/open-run-options.ts";
import { openRun as openProducer } from "../producer/open-run.ts";
import { FailureKind } from "../shared/failure.ts";
import { silentLog } from "../shared/log.ts";
import { readRunFile } from "../shared/run-file.ts";
import { UsageError } from "../shared/usage-error.ts";
import { parseOptions } from "../worker/providers/model-options.ts";
import { cardOf, profileOf, type Provider } from "./provider.ts";
import { redisAsker, type RedisInput } from "./redis-input.ts";
import { runOf, type Run } from "./run.ts";
import { defaultTimeoutMs, requestShape, settingsOf, type RunRequest } from "./run-request.ts";

/** What {@link openRun} takes. */
export interface OpenRunOptions
  extends
    RunRequest,
    Pick<
      ProducerOptions,
      | "approve"
      | "onOpened"
      | "window"
      | "maxFailures"
      | "giveUpAfterMs"
      | "graceMs"
      | "prefix"
      | "log"
    > {
  /** The run directory: a new or empty folder, or one with a run in it, which is resumed. */
  out: string;
  /** Who makes the images. A producer sends nothing to it: workers do, with keys of their own. */
  provider: Provider;
  /** Where the queue is; a function is asked once, and only if something is left to be done. */
  redis: RedisInput | (() => Promise<RedisInput>);
  /** True: the Redis was started for this run alone, so nothing in it is anybody else's. Default false. */
  isPrivateRedis?: boolean | undefined;
  /** Starts a new round that settles failures again: all, or those of these kinds. */
  retry?: "all" | readonly FailureKind[] | undefined;
}

const unknown = z.unknown().optional();
const Options = z.object({
  ...requestShape,
  out: z.string().min(1),
  provider: unknown,
  redis: unknown,
  isPrivateRedis: z.boolean().optional(),
  retry: z.union([z.literal("all"), z.array(FailureKind)]).optional(),
  approve: unknown,
  onOpened: unknown,
  window: z.int().min(1).optional(),
  maxFailures: z.int().min(0).optional(),
  giveUpAfterMs: z.number().min(0).optional(),
  graceMs: z.number().min(0).optional(),
  prefix: z.string().min(1).optional(),
  log: unknown,
});

/**
 * Creates or resumes the run of a directory and starts it: prompts go to the queue, results to the run directory. Workers
 * make the images, here ({@link createWorker}) or elsewhere.
 * @throws UsageError for wrong options; where the directory is in use or holds another run; where rows have changed
 */
export async function openRun(options: OpenRunOptions): Promise<Run> {
  parseOptions("openRun", Options, options);
  const { provider, redis, isPrivateRedis = false, retry, log = silentLog } = options;
  const findRedis = redisAsker(redis);
  const out = resolve(options.out);
  const profile = profileOf(provider);
  const present = await readRunFile(out);
  const model = options.model ?? present?.model;
  if (model === undefined) throw new UsageError(`${out} holds no run yet: give \`model\``);
  const timeoutMs = options.timeoutMs ?? present?.timeoutMs ?? defaultTimeoutMs;
  const card = await cardOf(profile, model, { timeoutMs });
  const { settings, warnings } = await settingsOf(options, { out, profile, card, present });
  const { approve, onOpened, window, maxFailures, giveUpAfterMs, graceMs, prefix } = options;
  const producer = await openProducer({
    out,
    settings,
    retry: retry && { kinds: retry === "all" ? null : [...retry] },
    queue: async () => ({ redis: await findRedis(), isPrivate: isPrivateRedis }),
    passThrough: profile.baseUrl !== undefined,
    card: profile.createModel && card,
    approve,
    onOpened,
    window,
    maxFailures,
    giveUpAfterMs,
    graceMs,
    prefix,
    log,
  });
  return runOf(producer, out, warnings, log);
}
