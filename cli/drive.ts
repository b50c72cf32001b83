import { openRun } from "../library/open-run.ts";
import { surveyRun, type RunSurvey, type SurveyRunOptions } from "../library/survey-run.ts";
import { workFolder } from "../producer/open-place.ts";
import { statePaths } from "../producer/run-directory.ts";
import { Cleanup } from "../shared/cleanup.ts";
import type { ModelCard } from "../shared/model-registry.ts";
import type { RunFile } from "../shared/run-file.ts";
import type { WorkerProfile } from "../worker/run-contexts.ts";
import { startEmbeddedRedis } from "./embedded-redis.ts";
import { parseRedisTarget, type RedisTarget } from "../shared/redis-target.ts";
import { approve, askOf } from "./approve.ts";
import { printDryRun } from "./estimate-view.ts";
import { followRun } from "./follow-run.ts";
import type { Io } from "./io.ts";
import { createLog } from "./logger.ts";
import { inputNotes } from "./input-notes.ts";
import { modelNotes, type ToldOfModel } from "./model-notes.ts";
import { OwnWorker } from "./own-worker.ts";
import { prepareRedis } from "./prepare-redis.ts";
import { sharedRedis } from "./queue-access.ts";
import { readProxySettings } from "./proxy-environment.ts";
import { readRedisTarget } from "./redis-environment.ts";
import type { DriveOptions } from "./run-options.ts";
import { Terminal } from "./terminal.ts";

/** A run to be made on this machine. */
export interface Drive {
  asked: SurveyRunOptions;
  /** Who makes the images, for people and for workers here. */
  profile: WorkerProfile;
  /** What is known of the model. */
  card: ModelCard;
  options: DriveOptions;
  /** The run that is gone on with, where its own settings are kept. */
  present?: RunFile | undefined;
  /** Makes the images here; else workers elsewhere do, over the Redis of `REDIS_URL`. */
  workHere: boolean;
  /** Where standard input was kept by an earlier start of the run, if that is its dataset: nothing was read now. */
  keptInput?: string | undefined;
}

/**
 * Makes a run on this machine: its own Redis unless `REDIS_URL` is set, workers, producer, progress and outputs. With
 * `--dry-run` it only says what would be made.
 * @throws Declined where a person did not want it
 */
export async function drive(io: Io, driven: Drive): Promise<void> {
  const { profile, card, options, workHere } = driven;
  const asked: SurveyRunOptions = { ...driven.asked, workers: workHere ? "here" : "elsewhere" };
  const terminal = new Terminal(io.stderr);
  const basis = { profile, concurrency: options.concurrency };
  warn(terminal, modelNotes(profile, card, new Date().toISOString().slice(0, 10), toldOf(driven)));
  if (options.dryRun) {
    const noted = { limit: asked.limit, keptInput: driven.keptInput };
    const survey = await surveyRun(asked);
    warn(terminal, [...survey.warnings, ...inputNotes({ rows: rowsOf(survey), ...noted })]);
    printDryRun(io, survey, basis, options.json === true);
    return;
  }
  await openAndFollow(io, { ...driven, asked, terminal });
}

/** Opens the run, asks before it costs much, and shows it to its end. */
async function openAndFollow(
  io: Io,
  { asked, profile, card, options, workHere, keptInput, terminal }: Drive & { terminal: Terminal },
): Promise<void> {
  const noted = { limit: asked.limit, keptInput };
  const basis = { profile, concurrency: options.concurrency };
  const log = await createLog(terminal, io.env, "warn");
  const proxy = readProxySettings(io.env);
  const shared = workHere ? await readRedisTarget(io.env) : await sharedRedis(io);
  if (shared) await prepareRedis(shared, (text) => warn(terminal, [text]));
  const stack = new Cleanup();
  let ended: Promise<void> | undefined;
  // Worker and Redis end while the output files are written: that takes about as long, in other processes.
  const end = () => (ended ??= stack[Symbol.asyncDispose]());
  await using _ = { [Symbol.asyncDispose]: end };
  const own = new OwnWorker({ ...basis, s3: asked.s3, proxy, terminal, log }, stack);
  const run = await openRun({
    ...asked,
    approve: async (survey) => {
      warn(terminal, [...survey.warnings, ...inputNotes({ rows: rowsOf(survey), ...noted })]);
      await approve(survey, basis, {
        write: (line) => terminal.write(line),
        ask: options.yes ? undefined : askOf(terminal),
      });
    },
    window: options.window,
    maxFailures: options.maxFailures,
    giveUpAfterMs: options.giveUpAfter,
    log,
    redis: async () => shared ?? (await embeddedRedis(asked, io, stack)),
    isPrivateRedis: shared === undefined,
    onOpened: workHere ? own.start : undefined,
    onLeft: () => void end().catch(() => undefined),
  });
  if (run.isComplete)
    warn(terminal, [...run.warnings, ...inputNotes({ rows: run.progress().total, ...noted })]);
  await followRun(io, run, {
    terminal,
    maker: `${card.id} by ${profile.name}`,
    isSimulated: profile.name === "simulator",
    workHere,
    options,
    own,
  });
}

function toldOf({ asked, present }: Drive): ToldOfModel {
  const { maxGenerationsPerCall, pricePerImageUsd } = asked;
  return {
    maxGenerationsPerCall: maxGenerationsPerCall ?? present?.maxGenerationsPerCall,
    pricePerImageUsd: pricePerImageUsd ?? present?.pricePerImageUsd,
  };
}

/** Rows that the run asks for, whatever becomes of them. */
function rowsOf({ prompts, settled, rejected }: RunSurvey): number {
  return prompts + settled + rejected;
}

function warn(terminal: Terminal, texts: readonly string[]): void {
  for (const text of texts) terminal.write(`warning: ${text}`);
}

async function embeddedRedis(
  { out, cacheFolder }: SurveyRunOptions,
  io: Io,
  stack: Cleanup,
): Promise<RedisTarget> {
  const { state } = statePaths(workFolder(out, cacheFolder));
  const server = stack.use(await startEmbeddedRedis(state, io.env));
  return parseRedisTarget(server.url);
}
