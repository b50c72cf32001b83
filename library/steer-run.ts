import { z } from "zod";
import { steerOver, type SteeredRun, type SteeringWish } from "../shared/steer-run.ts";
import { withRedisAt } from "../shared/with-redis.ts";
import { parseOptions } from "../worker/providers/model-options.ts";
import { accessShape } from "./resolve-run.ts";
import { redisSource, type RedisInput } from "./redis-input.ts";

/** What {@link steerRun} takes. */
export interface SteerRunOptions extends SteeringWish {
  /** The Redis of its producer and workers. Without it only the directory is told, for a run that nobody has open. */
  redis?: RedisInput | undefined;
}

const Options = z.object({
  run: z.string().optional(),
  out: z.string().min(1).optional(),
  s3: accessShape.s3,
  state: z.enum(["running", "paused", "cancelled"]),
  reason: z.string().optional(),
  prefix: z.string().min(1).optional(),
  redis: z.unknown().optional(),
});

/**
 * Pauses, cancels or frees a run of any process, by its id or its directory, whether or not a producer has it open.
 * @throws UsageError where it is not found, is finished, or is cancelled and to be paused, or Redis does not answer
 */
export async function steerRun(options: SteerRunOptions): Promise<SteeredRun> {
  parseOptions("steerRun", Options, options);
  if (options.redis === undefined) return await steerOver(undefined, options);
  return await withRedisAt(redisSource(options.redis), (redis) => steerOver(redis, options), {
    prefix: options.prefix,
  });
}
