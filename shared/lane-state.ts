import { z } from "zod";
import { FailureKind } from "./failure.ts";
import { Heartbeat } from "./heartbeat.ts";
import type { LaneKeys } from "./keys.ts";
import type { RedisClient } from "./redis.ts";
import { isNewerText } from "./newer-version.ts";
import { parseJson } from "./parse-json.ts";
import { Registration, REGISTRATION_VERSION } from "./registration.ts";

/** Why a lane is paused. */
export const LanePause = z.object({
  kind: z.union([FailureKind, z.literal("person")]),
  reason: z.string(),
});
export type LanePause = z.infer<typeof LanePause>;

/** What a worker looks at before it starts a call. */
export interface LaneState {
  pause: LanePause | undefined;
  /** How long the lane has to wait from now, in milliseconds; 0 when it may go on. */
  holdMs: number;
  runs: Map<string, Registration>;
  /** Ids of runs that a newer imagemill registered: what they want is not known here. */
  newer: ReadonlySet<string>;
}

const Fields = z.record(z.string(), z.string());
const LaneReply = z.tuple([Fields, z.number(), Fields]);

/** Rejects with the first error of a pipeline, else gives its values. */
export function pipelineValues(replies: [Error | null, unknown][] | null): unknown[] {
  if (!replies) throw new Error("Redis gave no answer to a pipeline");
  return replies.map(([error, value]) => {
    if (error) throw error;
    return value;
  });
}

/** Reads pause, hold and runs of a lane in one round trip. */
export async function readLaneState(redis: RedisClient, keys: LaneKeys): Promise<LaneState> {
  const replies = await redis
    .pipeline()
    .hgetall(keys.pause)
    .pttl(keys.hold)
    .hgetall(keys.runs)
    .exec();
  const [pause, holdMs, runs] = LaneReply.parse(pipelineValues(replies));
  return {
    pause: parsePause(pause),
    holdMs: Math.max(0, holdMs),
    newer: new Set(
      Object.keys(runs).filter((run) => isNewerText(runs[run]!, REGISTRATION_VERSION)),
    ),
    runs: new Map(
      Object.entries(runs).flatMap(([run, text]) => {
        const registration = parseJson(Registration, text);
        return registration ? [[run, registration] as const] : [];
      }),
    ),
  };
}

/** Which of a lane's runs have a living producer. */
export async function producedRuns(
  redis: RedisClient,
  keys: LaneKeys,
  runs: Iterable<string>,
): Promise<Set<string>> {
  const asked = [...runs];
  if (asked.length === 0) return new Set();
  const pipeline = redis.pipeline();
  for (const run of asked) pipeline.exists(keys.producer(run));
  const exists = pipelineValues(await pipeline.exec());
  return new Set(asked.filter((_, i) => exists[i] === 1));
}

/** A pause for a reason that is not known here is one all the same: it ends when who set it, or a person, ends it. */
function parsePause(fields: Record<string, string>): LanePause | undefined {
  if (Object.keys(fields).length === 0) return undefined;
  const parsed = LanePause.safeParse(fields);
  if (parsed.success) return parsed.data;
  const { kind = "no kind", reason = "no reason given" } = fields;
  return { kind: "person", reason: `${reason} (${kind}: not known to this imagemill)` };
}

/** Lets no call of the lane start, until {@link unpauseLane}. */
export async function pauseLane(
  redis: RedisClient,
  keys: LaneKeys,
  pause: LanePause,
): Promise<void> {
  await redis.hset(keys.pause, pause);
}

/** Ends a lane's pause and its hold. */
export async function unpauseLane(redis: RedisClient, keys: LaneKeys): Promise<void> {
  await redis.del(keys.pause, keys.hold);
}

/** Heartbeats of the living workers of a lane; forgets the ids of dead ones. */
export async function readHeartbeats(redis: RedisClient, keys: LaneKeys): Promise<Heartbeat[]> {
  const ids = await redis.smembers(keys.workers);
  if (ids.length === 0) return [];
  const pipeline = redis.pipeline();
  for (const id of ids) pipeline.get(keys.heartbeat(id));
  const texts = z.array(z.string().nullable()).parse(pipelineValues(await pipeline.exec()));
  const dead = ids.filter((_, i) => texts[i] === null);
  // A Redis that may be read but takes nothing (its disk is full, or the user may only look) is read all the same.
  if (dead.length > 0) await redis.srem(keys.workers, ...dead).catch(() => undefined);
  return texts.flatMap((text) => {
    return text === null ? [] : (parseJson(Heartbeat, text) ?? []);
  });
}
