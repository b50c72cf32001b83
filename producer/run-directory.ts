import { randomInt } from "node:crypto";
import { readdir, rm, stat } from "node:fs/promises";
import { hostname } from "node:os";
import { join } from "node:path";
import { isDeepStrictEqual } from "node:util";
import { messageOf } from "../shared/caught.ts";
import { ifThere } from "../shared/if-there.ts";
import { makeFolder } from "../shared/make-folder.ts";
import { pathTrouble, shownPath } from "../shared/path-trouble.ts";
import { newRunId, RUN_FILE_VERSION, type RunFile } from "../shared/run-file.ts";
import { journalPath, stateFolder } from "../shared/state-files.ts";
import { UsageError } from "../shared/usage-error.ts";
import { readDataset } from "./dataset/read-dataset.ts";
import type { RowHashes } from "./row-hashes.ts";
import type { RunPlace } from "./run-place.ts";
import { resumedRun, type RunSettings } from "./run-settings.ts";

/** Paths of the state that a run keeps. */
export function statePaths(directory: string) {
  const state = join(directory, stateFolder);
  return {
    state,
    journal: journalPath(directory),
    rows: join(state, "rows.bin"),
    temporary: join(state, "tmp"),
  };
}

/** Size and time of a dataset file. @throws UsageError where it cannot be read */
async function datasetStat(path: string): Promise<{ size: number; mtimeMs: number }> {
  try {
    const found = await stat(path);
    if (!found.isFile()) {
      throw new UsageError(
        `expected ${path} to be a file, got ${found.isDirectory() ? "a folder" : "a pipe or device"}: ` +
          "a dataset is read more than once, so give a file, or - for standard input",
      );
    }
    return { size: found.size, mtimeMs: found.mtimeMs };
  } catch (error) {
    if (error instanceof UsageError) throw error;
    throw new UsageError(`cannot read the dataset ${path}: ${messageOf(error)}`, {
      cause: error,
    });
  }
}

/** Makes the state folder. @throws UsageError where the directory cannot be used or holds something else */
export async function prepareDirectory(directory: string): Promise<void> {
  try {
    const present = (await ifThere(readdir(directory))) ?? [];
    const isOurs = present.includes(stateFolder);
    if (!isOurs && present.some((name) => !name.startsWith("."))) {
      throw new UsageError(`${directory} is not empty and no run directory: give another --out`);
    }
    await makeFolder(join(directory, stateFolder));
  } catch (error) {
    if (error instanceof UsageError) throw error;
    throw noRunDirectory(directory, error);
  }
}

/** What is thrown for a path that cannot be a run directory, by the system's error. */
export function noRunDirectory(directory: string, cause: unknown): UsageError {
  const why = pathTrouble(cause) ?? messageOf(cause);
  return new UsageError(
    `cannot use ${shownPath(directory)} as a run directory: ${why}; give another --out`,
    { cause },
  );
}

/**
 * The run of a place under these settings: a new one, or the one that is there.
 * @throws UsageError where settings differ that may not change
 */
export async function openRunFile(
  place: Pick<RunPlace, "location" | "readRun">,
  settings: RunSettings,
): Promise<{ run: RunFile; isNew: boolean; isChanged: boolean }> {
  const present = await place.readRun();
  if (present) {
    const run = resumedRun(present, settings, place.location);
    const isChanged = !isDeepStrictEqual(run, present);
    if (isChanged) run.revision += 1;
    return { run, isNew: false, isChanged };
  }
  return { run: await newRun(settings), isNew: true, isChanged: true };
}

/** A run that was never begun. @throws UsageError where its dataset cannot be read */
export async function newRun(settings: RunSettings): Promise<RunFile> {
  const { seed = randomInt(2 ** 31 - 1), workers = "here", ...asked } = settings;
  return {
    v: RUN_FILE_VERSION,
    id: newRunId(),
    createdAt: new Date().toISOString(),
    host: hostname(),
    ...asked,
    seed,
    workers,
    round: 0,
    revision: 0,
    retryKinds: null,
    summary: null,
    unsettledCalls: 0,
    outputsAt: null,
    dataset: { ...(await datasetStat(settings.source.path)), rows: null },
  };
}

/** A new round: failures of these kinds (null: of all) are settled again. `undo` leaves the run in the round before. */
export function startRound(run: RunFile, kinds: string[] | null): { undo(): void } {
  const { round, retryKinds, outputsAt, refusedAlike } = run;
  run.round += 1;
  run.retryKinds = kinds;
  run.outputsAt = null;
  delete run.refusedAlike;
  const before = { round, retryKinds, outputsAt, ...(refusedAlike && { refusedAlike }) };
  return { undo: () => void Object.assign(run, before) };
}

/** What is settled again: what is asked for, else all of a run that was stopped because all was refused alike. */
export function retryOf<Retry extends { kinds: string[] | null }>(
  { refusedAlike }: RunFile,
  asked: Retry | undefined,
): Retry | { kinds: null } | undefined {
  return asked ?? (refusedAlike ? { kinds: null } : undefined);
}

/** Compares rows that were read with the dataset as it is, unless the file is untouched. True where that was needed. */
export async function checkDataset(run: RunFile, hashes: RowHashes): Promise<boolean> {
  const { size, mtimeMs } = await datasetStat(run.source.path);
  if (size === run.dataset.size && mtimeMs === run.dataset.mtimeMs) return false;
  await hashes.verify(readDataset(run.source), run.source.path);
  run.dataset = { size, mtimeMs, rows: null };
  return true;
}

/** Removes images that a crash left half written. Only for the holder of the run's lock, while no worker writes. */
export async function removeTemporary(directory: string): Promise<void> {
  await rm(statePaths(directory).temporary, { recursive: true, force: true });
}
