import type { Command } from "commander";
import { defaultPrefix } from "../shared/keys.ts";
import { unknownName } from "../shared/near-match.ts";
import { listLanes, restLane, resumeLane } from "../shared/steer.ts";
import { UsageError } from "../shared/usage-error.ts";
import { EnvironmentCommand, type Io } from "./io.ts";
import { sharedRedis, withRedis } from "./queue-access.ts";
import { steeredStates, steerRun, type SteerAction } from "./steer-run.ts";

const descriptions: Record<SteerAction, string> = {
  pause: "let no further call of a run (or of a lane) start; calls in flight are finished",
  unpause: "let a paused run (or lane) go on; takes back a cancel, too",
  cancel: "end a run for good: what is not sent is dropped, what is in flight is settled",
};

/** `imagemill pause|unpause|cancel RUN`: steers a run from any machine. */
function steerCommand(io: Io, action: SteerAction): Command {
  const command = new EnvironmentCommand(action)
    .description(descriptions[action])
    .argument("[run]", "run directory, s3:// location or id");
  if (action !== "cancel")
    command.option("--lane <lane>", "all runs of this lane (see `imagemill status`)");
  if (action !== "unpause") command.option("--reason <text>", "shown to whoever looks at the run");
  command.action(async (run: string | undefined, options: { lane?: string; reason?: string }) => {
    if ((run === undefined) === (options.lane === undefined)) {
      throw new UsageError(`expected either a run or --lane to ${action}`);
    }
    if (run !== undefined) await steerRun(io, action, run, options.reason);
    else await steerLane(io, action, options.lane!, options.reason);
  });
  return command;
}

/** `imagemill pause`. */
export const pauseCommand = (io: Io) => steerCommand(io, "pause");
/** `imagemill unpause`. */
export const unpauseCommand = (io: Io) => steerCommand(io, "unpause");
/** `imagemill cancel`. */
export const cancelCommand = (io: Io) => steerCommand(io, "cancel");

async function steerLane(
  io: Io,
  action: SteerAction,
  lane: string,
  reason: string | undefined,
): Promise<void> {
  await withRedis(await sharedRedis(io), async (redis) => {
    const lanes = await listLanes(redis, defaultPrefix);
    if (!lanes.includes(lane)) {
      throw new UsageError(unknownName("lane", lane, lanes));
    }
    if (action === "pause")
      await restLane(redis, defaultPrefix, lane, reason ?? "paused by a person");
    else await resumeLane(redis, defaultPrefix, lane);
  });
  io.stdout.write(`lane ${lane} is ${steeredStates[action]}\n`);
}
