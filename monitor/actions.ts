import { restLane, resumeLane } from "../shared/steer.ts";
import { steerOver } from "../shared/steer-run.ts";
import { type MonitorContext, runOf, seeQueues } from "./context.ts";
import { readFilter, tryNow } from "./retry-filter.ts";
import { viewRun } from "./run-view.ts";
import { NotFound, RedisAway } from "./trouble.ts";

/** What an action is told. */
export interface ActionRequest {
  parameters: Record<string, string>;
  form: ReadonlyMap<string, string>;
}

/**
 * Does what a signed-in reader asked for, and gives the path of the page to show next.
 * @throws NotFound, UsageError, RedisAway
 */
export type DoAction = (context: MonitorContext, request: ActionRequest) => Promise<string>;

type Wish = "paused" | "running" | "cancelled";

/** Steers a run as `imagemill pause`, `unpause` and `cancel` do: in its directory first, then where workers look. */
const steer =
  (wish: Wish): DoAction =>
  async (context, { parameters }) => {
    const run = await runOf(context, parameters["id"]);
    const { id } = run.file;
    const { lanes } = await seeQueues(context);
    // A page that was loaded earlier still has the button: nothing is left to steer.
    const isOver = viewRun(run, lanes).condition.startsWith("completed");
    if (isOver && wish !== "running") return `/runs/${id}`;
    const reason = wish === "running" ? undefined : `${wish} on the monitor's page`;
    const lane = lanes.find(({ snapshot }) => snapshot.state.runs.has(id));
    const { redis, prefix } = lane?.source ?? {};
    const out = run.source.location;
    await steerOver(redis, { run: id, out, s3: context.s3, state: wish, reason, prefix });
    lane?.view.snapshot.forget();
    return `/runs/${id}`;
  };

const steerLane =
  (wish: "pause" | "unpause"): DoAction =>
  async (context, { form }) => {
    const { lanes, trouble } = await seeQueues(context);
    // Runs with a private Redis each may use lanes of one name.
    const lane = lanes.find(
      ({ snapshot, source }) =>
        snapshot.lane === form.get("lane") && source.name === (form.get("source") ?? source.name),
    );
    if (!lane && trouble !== undefined) throw new RedisAway(trouble);
    if (!lane) throw new NotFound(`There is no lane ${form.get("lane")}`);
    const { redis, prefix } = lane.source;
    if (wish === "pause")
      await restLane(redis, prefix, lane.snapshot.lane, "paused on the monitor's page");
    else await resumeLane(redis, prefix, lane.snapshot.lane);
    lane.view.snapshot.forget();
    return "/lanes";
  };

const hurry: DoAction = async (context, { form }) => {
  const filter = readFilter((name) => form.get(name));
  const { lanes } = await seeQueues(context);
  const moved = await tryNow(lanes, filter);
  for (const { view } of lanes) view.retries.forget();
  const run = filter.run === undefined ? undefined : (await runOf(context, filter.run)).file.id;
  return `${run === undefined ? "" : `/runs/${run}`}/retries?moved=${moved}`;
};

/** All actions by path. */
export const actionRoutes: readonly (readonly [path: string, act: DoAction])[] = [
  ["/runs/:id/pause", steer("paused")],
  ["/runs/:id/unpause", steer("running")],
  ["/runs/:id/cancel", steer("cancelled")],
  ["/lanes/pause", steerLane("pause")],
  ["/lanes/unpause", steerLane("unpause")],
  ["/retries/try-now", hurry],
];
