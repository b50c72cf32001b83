import { createWriteStream } from "node:fs";
import { readdir, rename, rm, stat } from "node:fs/promises";
import { join, resolve } from "node:path";
import { pipeline } from "node:stream/promises";
import { isDiskTrouble, messageOf } from "../shared/caught.ts";
import { ifThere } from "../shared/if-there.ts";
import { pathTrouble } from "../shared/path-trouble.ts";
import { readRunFile, writeRunFile } from "../shared/run-file.ts";
import { halfOf, removeHalfWritten, stateFilesOf } from "../shared/state-files.ts";
import { UsageError } from "../shared/usage-error.ts";
import { folderStamps } from "./folder-stamps.ts";
import { noRunDirectory, prepareDirectory, statePaths } from "./run-directory.ts";
import { acquireRunLock, type RunLock } from "./run-lock.ts";
import type { RunPlace } from "./run-place.ts";

/** A run in a folder, by its absolute path: its producer works in it directly. */
export function folderPlace(directory: string): RunPlace {
  const copyJournal = () => isThere(statePaths(directory).journal);
  const inputPath = (name: string) => join(statePaths(directory).state, name);
  return {
    location: directory,
    directory,
    state: stateFilesOf(directory),
    store: undefined,
    storage: async () => undefined,
    rowsAhead: 0,
    prepare: () => prepareDirectory(directory),
    lock: () => lockDirectory(directory),
    open: async () => {
      await removeHalfWritten(directory);
      return {
        keepJournal: undefined,
        keepRows: undefined,
        cutJournal: undefined,
        [Symbol.asyncDispose]: async () => undefined,
      };
    },
    copy: copyJournal,
    copyJournal,
    readRun: () => usable(directory, readRunFile(directory)),
    writeRun: (run) => writeRunFile(directory, run),
    findInput: async (name) =>
      (await usable(directory, isThere(inputPath(name)))) ? inputPath(name) : undefined,
    keepInput: async (name, input) => {
      await prepareDirectory(directory);
      await writeWhole(inputPath(name), input);
      return inputPath(name);
    },
    pathOf: (dataset) => resolve(dataset),
    listImages: (folder) => ifThere(readdir(join(directory, folder))),
    stampOf: folderStamps(directory),
    publish: async () => undefined,
    close: async () => undefined,
  };
}

/** Writes a file that is there as a whole or not at all. */
async function writeWhole(path: string, input: AsyncIterable<string | Buffer>): Promise<void> {
  // Two processes may do this for the same run, on any machine, before one of them gets its lock.
  const half = halfOf(path);
  try {
    await pipeline(input, createWriteStream(half));
    await rename(half, path);
  } catch (error) {
    await rm(half, { force: true }).catch(() => undefined);
    throw error;
  }
}

/** @throws UsageError where the directory cannot be written to, or a living producer holds the run */
async function lockDirectory(directory: string): Promise<RunLock> {
  try {
    return await acquireRunLock(directory);
  } catch (error) {
    if (!isDiskTrouble(error) && pathTrouble(error) === undefined) throw error;
    throw new UsageError(`cannot write to the run directory: ${messageOf(error)}`, {
      cause: error,
    });
  }
}

/** @throws UsageError where what is looked for cannot be there, as below a file */
async function usable<Found>(directory: string, looking: Promise<Found>): Promise<Found> {
  try {
    return await looking;
  } catch (error) {
    if (pathTrouble(error) === undefined) throw error;
    throw noRunDirectory(directory, error);
  }
}

async function isThere(path: string): Promise<boolean> {
  return (await ifThere(stat(path))) !== undefined;
}
