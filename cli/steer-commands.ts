import type { Command } from "commander";
import { hasCode } from "../shared/caught.ts";
import { defaultPrefix } from "../shared/keys.ts";
import { unknownName } from "../shared/near-match.ts";
import { readRunFile } from "../shared/run-file.ts";
import {
  findRegisteredRun,
  listLanes,
  restLane,
  resumeLane,
  setRunState,
} from "../shared/steer.ts";
import { UsageError } from "../shared/usage-error.ts";
import { EnvironmentCommand, type Io } from "./io.ts";
import { withRedis } from "./queue-access.ts";

type Action = "pause" | "unpause" | "cancel";
const states = { pause: "paused", unpause: "running", cancel: "cancelled" } as const;
const descriptions: Record<Action, string> = {
  pause: "let no further call of a run (or of a lane) start; calls in flight are finished",
  unpause: "let a paused run (or lane) go on",
  cancel: "end a run for good: what is not sent is dropped, what is in flight is settled",
};

/** `imagemill pause|unpause|cancel RUN`: steers a run from any machine. */
function steerCommand(io: Io, action: Action): Command {
  const command = new EnvironmentCommand(action)
    .description(descriptions[action])
    .argument("[run]", "run directory or id");
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

async function steerRun(
  io: Io,
  action: Action,
  text: string,
  reason: string | undefined,
): Promise<void> {
  const file = await readRunFile(text).catch((error: unknown) => {
    if (hasCode(error, "ENOTDIR")) return undefined;
    throw error;
  });
  const id = file?.id ?? text;
  await withRedis(io, file && text, async (redis) => {
    const found = await findRegisteredRun(redis, defaultPrefix, id);
    if (!found)
      throw new UsageError(`run ${id} is not under way on this Redis (see \`imagemill status\`)`);
    await setRunState(redis, defaultPrefix, found, states[action], reason);
  });
  io.stdout.write(`run ${id} is ${states[action]}\n`);
}

async function steerLane(
  io: Io,
  action: Action,
  lane: string,
  reason: string | undefined,
): Promise<void> {
  await withRedis(io, undefined, async (redis) => {
    const lanes = await listLanes(redis, defaultPrefix);
    if (!lanes.includes(lane)) {
      throw new UsageError(unknownName("lane", lane, lanes));
    }
    if (action === "pause")
      await restLane(redis, defaultPrefix, lane, reason ?? "paused by a person");
    else await resumeLane(redis, defaultPrefix, lane);
  });
  io.stdout.write(`lane ${lane} is ${states[action]}\n`);
}
