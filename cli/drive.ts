import { createWorker } from "../library/create-worker.ts";
import { openRun } from "../library/open-run.ts";
import { surveyRun, type SurveyRunOptions } from "../library/survey-run.ts";
import { statePaths } from "../producer/run-directory.ts";
import { messageOf } from "../shared/caught.ts";
import { Cleanup } from "../shared/cleanup.ts";
import type { ModelCard } from "../shared/model-registry.ts";
import type { ImageWorker } from "../worker/create-worker.ts";
import type { WorkerProfile } from "../worker/run-contexts.ts";
import { startEmbeddedRedis } from "./embedded-redis.ts";
import { parseRedisTarget, type RedisTarget } from "../shared/redis-target.ts";
import { approve, askOf } from "./approve.ts";
import { printDryRun } from "./estimate-view.ts";
import { exitCodeOf } from "./exit-code.ts";
import type { Io } from "./io.ts";
import { createLog } from "./logger.ts";
import { modelNotes } from "./model-notes.ts";
import { prepareRedis } from "./prepare-redis.ts";
import { sharedRedis } from "./queue-access.ts";
import { readProxySettings } from "./proxy-environment.ts";
import { readRedisTarget } from "./redis-environment.ts";
import { showProgress } from "./progress-view.ts";
import type { DriveOptions } from "./run-options.ts";
import { listenToSignals } from "./signals.ts";
import { printSummary } from "./summary-view.ts";
import { Terminal } from "./terminal.ts";

/** A run to be made on this machine. */
export interface Drive {
  asked: SurveyRunOptions;
  /** Who makes the images, for people and for workers here. */
  profile: WorkerProfile;
  /** What is known of the model. */
  card: ModelCard;
  options: DriveOptions;
  /** Makes the images here; else workers elsewhere do, over the Redis of `REDIS_URL`. */
  workHere: boolean;
}

/**
 * Makes a run on this machine: its own Redis unless `REDIS_URL` is set, workers, producer, progress and outputs. With
 * `--dry-run` it only says what would be made.
 * @throws Declined where a person did not want it
 */
export async function drive(
  io: Io,
  { asked, profile, card, options, workHere }: Drive,
): Promise<void> {
  const target: SurveyRunOptions = { ...asked, workers: workHere ? "here" : "elsewhere" };
  const terminal = new Terminal(io.stderr);
  const basis = { profile, concurrency: options.concurrency };
  const log = createLog(terminal, io.env["IMAGEMILL_LOG_LEVEL"] ?? "warn");
  const warn = (texts: readonly string[]) => {
    for (const text of texts) terminal.write(`warning: ${text}`);
  };
  warn(modelNotes(profile, card, new Date().toISOString().slice(0, 10)));
  if (options.dryRun) {
    const survey = await surveyRun(target);
    warn(survey.warnings);
    printDryRun(io, survey, basis, options.json === true);
    return;
  }
  const proxy = readProxySettings(io.env);
  const shared = workHere ? await readRedisTarget(io.env) : await sharedRedis(io);
  if (shared) await prepareRedis(shared, (text) => warn([text]));
  await using stack = new Cleanup();
  let worker: ImageWorker | undefined;
  const run = await openRun({
    ...target,
    approve: async (survey) => {
      warn(survey.warnings);
      await approve(survey, basis, {
        write: (line) => terminal.write(line),
        ask: options.yes ? undefined : askOf(terminal),
      });
    },
    window: options.window,
    maxFailures: options.maxFailures,
    giveUpAfterMs: options.giveUpAfter,
    log,
    redis: async () => shared ?? (await embeddedRedis(target.out, io, stack)),
    isPrivateRedis: shared === undefined,
    onOpened: async ({ redis, isPrivate }) => {
      if (!workHere) return;
      worker = await createWorker({
        redis,
        providers: [await withSimulator(profile, stack, terminal)],
        concurrency: options.concurrency,
        isOnlyWorker: isPrivate,
        proxy,
        log,
      });
      // The run has waited for its calls: what is still there cannot be stored, or its run has ended.
      stack.defer(async () => tellAbandoned(terminal, await worker!.close(0)));
    },
  });
  if (run.isComplete) warn(run.warnings);
  for (const line of run.repaired) terminal.write(`repaired: ${line}`);
  if (run.steering?.state === "paused" && !run.isComplete) {
    const why = run.steering.reason === undefined ? "" : ` (${run.steering.reason})`;
    terminal.write(
      `the run was paused at ${run.steering.at}${why} and waits: \`imagemill unpause ${run.out}\` lets it go on`,
    );
  }
  const how = run.isComplete ? "is complete, no call is made" : run.resumed ? "goes on" : "starts";
  terminal.write(`run ${run.id} ${how}: ${card.id} by ${profile.name}, ${run.out}`);
  const callsInFlight = () => worker?.callsInFlight() ?? 0;
  using signals = listenToSignals(terminal, callsInFlight, (signal) => {
    terminal.write(
      `${signal}: finishing ${callsInFlight()} calls in flight (again to stop at once); the same command resumes`,
    );
    void run.stop(`interrupted by ${signal}: the same command resumes`);
    worker
      ?.close()
      .catch((error: unknown) => terminal.write(`closing the worker failed: ${messageOf(error)}`));
  });
  const hide = showProgress(run, terminal);
  try {
    const summary = await run.finished;
    hide();
    printSummary(io, summary, {
      json: options.json === true,
      isSimulated: profile.name === "simulator",
    });
    io.exitCode =
      signals.code ?? exitCodeOf(summary, run.progress().totals.failures, options.allowFailures);
  } finally {
    hide();
  }
}

function tellAbandoned(terminal: Terminal, calls: number): void {
  if (calls > 0)
    terminal.write(`${calls} calls were given up: their images may be charged a second time`);
}

async function embeddedRedis(out: string, io: Io, stack: Cleanup): Promise<RedisTarget> {
  const server = stack.use(await startEmbeddedRedis(statePaths(out).state, io.env));
  return parseRedisTarget(server.url);
}

/** A simulator of the run's own, where the profile is the simulator's and no server is named. */
async function withSimulator(
  profile: WorkerProfile,
  stack: Cleanup,
  terminal: Terminal,
): Promise<WorkerProfile> {
  if (profile.name !== "simulator" || profile.baseUrl !== undefined) return profile;
  const { startSimulator } = await import("../simulator/simulator.ts");
  const simulator = stack.use(
    await startSimulator({ latencyMs: 300, jitter: 0.5, imageScale: 0.25 }),
  );
  terminal.write(
    "images are simulated: a built-in server draws them, nothing is sent anywhere and nothing costs",
  );
  return { ...profile, baseUrl: `${simulator.url}/v1` };
}
