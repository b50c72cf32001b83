import { asError, isDiskTrouble } from "./caught.ts";
import { Cleanup } from "./cleanup.ts";
import { defaultPrefix } from "./keys.ts";
import { openState, type S3Options } from "./open-store.ts";
import type { RedisClient } from "./redis.ts";
import { readRunFile, type RunFile } from "./run-file.ts";
import { locationOf } from "./run-location.ts";
import { isS3Location } from "./s3-location.ts";
import { stateFolder, type StateFiles } from "./state-files.ts";
import { dropRunJobs, findRegisteredRun, hasProducer, setRunState } from "./steer.ts";
import { dropCancel, readSteering, writeSteering } from "./steering.ts";
import { UsageError } from "./usage-error.ts";

/** Which run is steered, and how. */
export interface SteeringWish {
  /** Its id. May be left out where `out` is given. */
  run?: string | undefined;
  /** The run directory or its `s3://` location, where that can be seen from here. */
  out?: string | undefined;
  /** For `s3://` locations: options of the SDK's client. */
  s3?: S3Options | undefined;
  /** `paused`: no call starts; `cancelled`: it ends for good; `running` takes back either. */
  state: "running" | "paused" | "cancelled";
  /** For whoever looks at the run. */
  reason?: string | undefined;
  /** Default `imagemill`. */
  prefix?: string | undefined;
}

/** What is known of a run once it is steered. */
export interface SteeredRun {
  id: string;
  /** Its directory, where that can be seen from here. */
  out: string | undefined;
  state: SteeringWish["state"];
  /** A producer has it open, and sees to the rest. Else a cancelled run is ended by opening it once more. */
  isLed: boolean;
}

const verbs = { paused: "pause", running: "unpause", cancelled: "cancel" } as const;

/**
 * Pauses, cancels or frees a run of any process, by its id or its directory, whether or not a producer has it open: in its
 * directory, where that can be seen from here, and in Redis, where it is known. Without `redis` only in its directory.
 * @throws UsageError where it is not found, is finished, or is cancelled and to be paused, and where its directory could not be
 *   written to: then it is steered in Redis alone
 */
export async function steerOver(
  redis: RedisClient | undefined,
  wish: SteeringWish,
): Promise<SteeredRun> {
  const { state, reason, prefix = defaultPrefix } = wish;
  await using stack = new Cleanup();
  const seen = await seenRun(wish, stack);
  const id = seen?.id ?? wish.run!;
  const before = redis && (await findRegisteredRun(redis, prefix, id));
  const told = before?.registration.location;
  const files =
    seen?.files ??
    (told === undefined ? undefined : await sameRun(told, { ...wish, run: id }, stack));
  const out = files?.location;
  if (out === undefined && !before) throw new UsageError(notUnderWay(id));
  if (state === "paused") await refuseCancelled(id, files, before?.registration.state);
  // The directory first: a producer that starts now registers the run first and looks there then.
  const unwritten = files && (await diskTroubleOf(writeSteering(files, state, reason)));
  if (files && state === "cancelled") await refuseLate(files);
  const registered = redis && (await findRegisteredRun(redis, prefix, id));
  try {
    if (registered) await setRunState(redis, prefix, registered, state, reason);
  } catch (error) {
    // On one disk with the directory Redis has no room, either.
    throw unwritten ? notWritten(unwritten, { id, out, state }, false) : error;
  }
  if (unwritten) throw notWritten(unwritten, { id, out, state }, registered !== undefined);
  if (!registered) return { id, out, state, isLed: false };
  if (state !== "cancelled")
    return { id, out, state, isLed: await hasProducer(redis, prefix, registered) };
  // Who sees the directory learns by the run's lock whether a producer lives, and settles what is left in Redis, too.
  const isLed = out === undefined && !(await dropRunJobs(redis, prefix, registered));
  return { id, out, state, isLed };
}

/** What kept something from being written, where that was the disk. */
async function diskTroubleOf(writing: Promise<void>): Promise<Error | undefined> {
  try {
    await writing;
    return undefined;
  } catch (error) {
    if (isDiskTrouble(error)) return asError(error);
    throw error;
  }
}

/** What is said of a run that is steered in Redis at most: its directory could not be written to. */
function notWritten(
  cause: Error,
  { id, out, state }: Pick<SteeredRun, "id" | "out" | "state">,
  isInRedis: boolean,
): UsageError {
  const kept = isInRedis
    ? `it is ${state} in Redis alone, which its workers obey, but which its next start may not know`
    : `it is not ${state}`;
  return new UsageError(
    `run ${id}: ${kept}, since steering.json in ${out}/${stateFolder} could not be written (${cause.message}); make it writable, then ${verbs[state]} it again`,
    { cause },
  );
}

/** The run of the directory that is named. @throws UsageError where there is none, or nothing of it is left to be done */
async function seenRun({ run, out, s3, state }: SteeringWish, stack: Cleanup) {
  if (out === undefined && run === undefined)
    throw new UsageError("expected `run` or `out` to steer a run, got neither");
  if (out === undefined) return undefined;
  const files = await openState(locationOf(out), s3, stack);
  const file = await readRunFile(files);
  if (!file || (run !== undefined && file.id !== run))
    throw new UsageError(
      `${files.location} does not hold ${run === undefined ? "a run" : `run ${run}`}`,
    );
  // A run may finish while it is paused: then there is a pause to be taken back, for images that are asked for later.
  if (state !== "running" || !(await readSteering(files))) await refuseFinished(files, file, state);
  return { id: file.id, files };
}

async function refuseFinished(
  files: StateFiles,
  { id, summary, outputsAt }: RunFile,
  state: SteeringWish["state"],
): Promise<void> {
  if (summary?.state.startsWith("completed") !== true) return;
  // Lines after those that the output files stand for, or a new round, are of a run that goes on.
  if (outputsAt !== (await files.journalBytes())) return;
  throw new UsageError(
    `run ${id} is finished (${summary.state}): there is nothing to ${verbs[state]}`,
  );
}

/** A run that is complete by now drops only a cancel that it finds when it says so. */
async function refuseLate(files: StateFiles): Promise<void> {
  const file = await readRunFile(files);
  if (!file) return;
  await refuseFinished(files, file, "cancelled").catch(async (error: unknown) => {
    await dropCancel(files);
    throw error;
  });
}

/** A pause would take the cancel's place, and the `unpause` after it would have the run go on. */
async function refuseCancelled(
  id: string,
  files: StateFiles | undefined,
  registered: string | undefined,
): Promise<void> {
  const steering = files && (await readSteering(files));
  if (steering?.state !== "cancelled" && registered !== "cancelled") return;
  throw new UsageError(
    `run ${id} is cancelled: there is nothing to pause (\`imagemill unpause ${files?.location ?? id}\` takes the cancel back)`,
  );
}

/** A place that another host told of, where the run is the same here. */
async function sameRun(location: string, { run, s3 }: SteeringWish, stack: Cleanup) {
  if (isS3Location(location) && !s3) return undefined;
  const files = await openState(locationOf(location), s3, stack);
  const file = await readRunFile(files).catch(() => undefined);
  return file?.id === run ? files : undefined;
}

/** What is said of a run that neither Redis nor a directory here knows. */
export function notUnderWay(id: string): string {
  return `run ${id} is not under way on this Redis (see \`imagemill status\`), and no directory of that name or id is here`;
}
