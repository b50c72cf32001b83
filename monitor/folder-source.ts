import { createReadStream } from "node:fs";
import { realpath, stat } from "node:fs/promises";
import { join, sep } from "node:path";
import { hasCode } from "../shared/caught.ts";
import { ifThere } from "../shared/if-there.ts";
import { readRunFile, runFilePath, type RunFile } from "../shared/run-file.ts";
import { journalPath } from "../shared/state-files.ts";
import { readSteering, type Steering } from "../shared/steering.ts";
import type { FoundImage, JournalState, RunSource } from "./run-source.ts";

/** A run in a folder, by its absolute path. */
export class FolderSource implements RunSource {
  readonly location: string;
  readonly directory: string;
  readonly store = undefined;
  readonly everyMs = { wanted: 0, idle: 0 };
  #run: { file: RunFile | undefined; mtimeMs: number } | undefined;

  constructor(directory: string) {
    this.location = directory;
    this.directory = directory;
  }

  async readRun(): Promise<RunFile | undefined> {
    try {
      const { mtimeMs } = await stat(runFilePath(this.directory));
      if (mtimeMs !== this.#run?.mtimeMs)
        this.#run = { file: await readRunFile(this.directory), mtimeMs };
      return this.#run.file;
    } catch (error) {
      if (hasCode(error, "ENOENT") || hasCode(error, "ENOTDIR")) return undefined;
      throw error;
    }
  }

  readSteering(): Promise<Steering | undefined> {
    return readSteering(this.directory);
  }

  async refreshJournal(): Promise<JournalState> {
    const found = await ifThere(stat(journalPath(this.directory)));
    return { bytes: found?.size ?? 0, rewrites: 0, writtenAt: found?.mtimeMs ?? 0 };
  }

  /** Not where a link leads out of the run directory. */
  async findImage(file: string): Promise<FoundImage | undefined> {
    try {
      const path = await realpath(join(this.directory, file));
      if (!path.startsWith((await realpath(this.directory)) + sep)) return undefined;
      const { size, mtimeMs } = await stat(path);
      const read = async () => createReadStream(path);
      return { bytes: size, version: `${path} ${size} ${mtimeMs}`, read };
    } catch (error) {
      if (hasCode(error, "ENOENT")) return undefined;
      throw error;
    }
  }

  async close(): Promise<void> {
    // It is read where it is.
  }
}
