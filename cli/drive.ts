import { setTimeout as delay } from "node:timers/promises";
import { openRun, type Run } from "../producer/open-run.ts";
import { statePaths } from "../producer/run-directory.ts";
import type { RunSettings } from "../producer/run-settings.ts";
import type { Profile } from "../shared/profile.ts";
import type { RunSummary } from "../shared/run-file.ts";
import { createWorker, type ImageWorker } from "../worker/create-worker.ts";
import { startEmbeddedRedis } from "./embedded-redis.ts";
import { parseRedisTarget, type RedisTarget } from "../shared/redis-target.ts";
import { exitCodeOf } from "./exit-code.ts";
import type { Io } from "./io.ts";
import { createLog } from "./logger.ts";
import { readRedisTarget } from "./redis-environment.ts";
import { showProgress } from "./progress-view.ts";
import type { DriveOptions } from "./run-options.ts";
import { printSummary } from "./summary-view.ts";
import { Terminal } from "./terminal.ts";

/** A run to be made on this machine. */
export interface Drive {
  out: string;
  settings: RunSettings;
  profile: Profile;
  options: DriveOptions;
  retry?: { kinds: string[] | null };
  /** Lines for people before the run starts. */
  notes: readonly string[];
}

/** Makes a run on this machine: its own Redis unless `REDIS_URL` is set, workers, producer, progress and outputs. */
export async function drive(
  io: Io,
  { out, settings, profile, options, retry, notes }: Drive,
): Promise<RunSummary> {
  const terminal = new Terminal(io.stderr);
  const log = createLog(terminal, io.env["IMAGEMILL_LOG_LEVEL"] ?? "warn");
  for (const note of notes) terminal.write(note);
  await using stack = new AsyncDisposableStack();
  let worker: ImageWorker | undefined;
  const run = await openRun({
    out,
    settings,
    retry,
    passThrough: profile.baseUrl !== undefined,
    window: options.window,
    maxFailures: options.maxFailures,
    giveUpAfterMs: options.giveUpAfter,
    log,
    queue: async () => {
      const shared = await readRedisTarget(io.env);
      const redis = shared ?? (await embeddedRedis(out, io, stack));
      return { redis, isPrivate: shared === undefined };
    },
    onOpened: async ({ redis }) => {
      const reachable = await withSimulator(profile, stack, terminal);
      worker = await createWorker({
        redis,
        profiles: [reachable],
        concurrency: options.concurrency,
        log,
      });
      stack.defer(() => worker!.close(settings.timeoutMs).then(() => undefined));
    },
  });
  for (const line of run.repaired) terminal.write(`repaired: ${line}`);
  const how = run.isComplete ? "is complete, no call is made" : run.resumed ? "goes on" : "starts";
  terminal.write(`run ${run.id} ${how}: ${settings.model} by ${profile.name}, ${out}`);
  const signals = listen(io, run, () => worker, terminal, settings.timeoutMs);
  const hide = showProgress(run, terminal);
  try {
    const summary = await run.finished;
    hide();
    printSummary(io, summary, options.json === true);
    io.exitCode =
      signals.code() ?? exitCodeOf(summary, run.progress().totals.failures, options.allowFailures);
    return summary;
  } finally {
    hide();
    signals.end();
  }
}

async function embeddedRedis(
  out: string,
  io: Io,
  stack: AsyncDisposableStack,
): Promise<RedisTarget> {
  const server = stack.use(await startEmbeddedRedis(statePaths(out).state, io.env));
  return parseRedisTarget(server.url);
}

/** A simulator of the run's own, where the profile is the simulator's and no server is named. */
async function withSimulator(
  profile: Profile,
  stack: AsyncDisposableStack,
  terminal: Terminal,
): Promise<Profile> {
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

const signalCodes = { SIGINT: 130, SIGTERM: 143 } as const;

/** Supervisors signal a whole group: the same signal again within this time is the same wish. */
const sameSignalMs = 300;

/** The first signal ends the run gracefully, the second at once. */
function listen(
  io: Io,
  run: Run,
  worker: () => ImageWorker | undefined,
  terminal: Terminal,
  graceMs: number,
): { code: () => number | undefined; end: () => void } {
  let code: number | undefined;
  let signalledAt = 0;
  const onSignal = (signal: "SIGINT" | "SIGTERM") => {
    const calls = worker()?.callsInFlight() ?? 0;
    if (Date.now() - signalledAt < sameSignalMs) return;
    signalledAt = Date.now();
    if (code !== undefined) {
      terminal.write(
        `stopped at once: ${calls} calls in flight were given up and may be charged a second time`,
      );
      void delay(0).then(() => process.exit(code));
      return;
    }
    code = signalCodes[signal];
    terminal.write(
      `${signal}: finishing ${calls} calls in flight (again to stop at once); the same command resumes`,
    );
    run.stop({ state: "interrupted", text: `interrupted by ${signal}: the same command resumes` });
    worker()
      ?.close(graceMs)
      .catch((error: unknown) => io.stderr.write(`${String(error)}\n`));
  };
  process.on("SIGINT", onSignal);
  process.on("SIGTERM", onSignal);
  return {
    code: () => code,
    end: () => {
      process.off("SIGINT", onSignal);
      process.off("SIGTERM", onSignal);
    },
  };
}
