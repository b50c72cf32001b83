import type { Cleanup } from "../shared/cleanup.ts";
import { connectRedis, type RedisSource } from "../shared/redis.ts";
import type { RunFile } from "../shared/run-file.ts";
import { LaneClient } from "./lane-client.ts";
import type { TroubleLog } from "./trouble-log.ts";

/** What a producer's lane is reached with. */
export interface LaneAccess {
  redis: RedisSource;
  prefix: string;
  /** Where the run is kept. */
  place: string;
  trouble: TroubleLog;
}

/** The lane of a run, over connections of its own that end with `stack`: one of them waits for results. */
export function connectLane(
  { id, profile, model }: Pick<RunFile, "id" | "profile" | "model">,
  { redis, prefix, place, trouble }: LaneAccess,
  stack: Cleanup,
): LaneClient {
  const connect = (name: string) => {
    const client = connectRedis(redis, { role: "producer", name: `imagemill-${name}-${id}` });
    client.on("error", trouble.ofRedis);
    stack.defer(() => client.disconnect());
    return client;
  };
  const card = { profile, model };
  const lane = new LaneClient(connect("producer"), connect("collector"), prefix, card, {
    run: id,
    place,
  });
  lane.onError(trouble.ofRedis);
  return lane;
}
