import { z } from "zod";
import type { LaneKeys } from "../shared/keys.ts";
import { parseJson } from "../shared/parse-json.ts";
import type { RedisClient } from "../shared/redis.ts";

/** What a lane's workers have found out together, as far as a page shows it (`worker/pace-script.ts` and its parts). */
export const LanePace = z
  .object({
    /** Calls that may be in flight. */
    window: z.number().optional(),
    /** Images a millisecond that are believed to be a limit that nobody told. */
    rate: z.number().optional(),
    /** Limits a minute that the provider's answers told. */
    hintImages: z.number().optional(),
    hintRequests: z.number().optional(),
    hintTokens: z.number().optional(),
    /** Images that one call may ask for, where the provider said so. */
    perCall: z.number().optional(),
  })
  .transform(({ rate, ...pace }) => ({
    ...pace,
    imagesPerMinute: rate === undefined ? undefined : rate * 60_000,
  }));
export type LanePace = z.output<typeof LanePace>;

/** What is kept is MessagePack: Redis itself turns it into JSON. */
const script =
  "local kept = redis.call('get', KEYS[1]) " +
  "if not kept then return '' end " +
  "return cjson.encode(cmsgpack.unpack(kept))";

/** The pace of a lane; undefined where nothing is known, or what is kept is of another version. */
export async function readPace(redis: RedisClient, keys: LaneKeys): Promise<LanePace | undefined> {
  const text = z.string().parse(await redis.eval(script, 1, keys.pace));
  return parseJson(LanePace, text);
}
