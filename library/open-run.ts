import { z } from "zod";
import type { OpenRunOptions as ProducerOptions } from "../producer/open-run-options.ts";
import { openRun as openProducer } from "../producer/open-run.ts";
import { openPlace } from "../producer/open-place.ts";
import { silentLog } from "../shared/log.ts";
import { parseOptions } from "../worker/providers/model-options.ts";
import { redisAsker, type RedisInput } from "./redis-input.ts";
import { resolveRun, targetShape, type RunTarget } from "./resolve-run.ts";
import { runOf, type Run } from "./run.ts";
import { asRunSurvey, type RunSurvey } from "./survey-run.ts";

/** What {@link openRun} takes. */
export interface OpenRunOptions
  extends
    RunTarget,
    Pick<
      ProducerOptions,
      | "onOpened"
      | "onLeft"
      | "window"
      | "maxFailures"
      | "giveUpAfterMs"
      | "graceMs"
      | "prefix"
      | "log"
    > {
  /** Where the queue is; a function is asked once, and only if something is left to be done. */
  redis: RedisInput | (() => Promise<RedisInput>);
  /** True: the Redis was started for this run alone, so nothing in it is anybody else's. Default false. */
  isPrivateRedis?: boolean | undefined;
  /** Told what is left to be done before it is begun, if anything is; where it rejects, so does `openRun`: no call was made. */
  approve?: ((survey: RunSurvey) => Promise<void>) | undefined;
}

const unknown = z.unknown().optional();
const Options = z.object({
  ...targetShape,
  redis: unknown,
  isPrivateRedis: z.boolean().optional(),
  approve: unknown,
  onOpened: unknown,
  onLeft: unknown,
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
 * @throws RunInUseError where a living producer has the run open
 * @throws UsageError for wrong options; where the directory holds another run; where rows have changed; what `approve` throws
 */
export async function openRun(options: OpenRunOptions): Promise<Run> {
  parseOptions("openRun", Options, options);
  const { isPrivateRedis: isPrivate = false, approve, log = silentLog } = options;
  const findRedis = redisAsker(options.redis);
  const place = await openPlace(options.out, options);
  const resolved = await resolveRun(options, place).catch(async (error: unknown) => {
    await place.close();
    throw error;
  });
  const { onOpened, onLeft, window, maxFailures, giveUpAfterMs, graceMs, prefix } = options;
  const producer = await openProducer({
    ...resolved,
    queue: async () => ({ redis: await findRedis(), isPrivate }),
    approve: approve && ((survey) => approve(asRunSurvey(survey, resolved))),
    onOpened,
    onLeft,
    window,
    maxFailures,
    giveUpAfterMs,
    graceMs,
    prefix,
    log,
  });
  return runOf(producer, resolved, log);
}
