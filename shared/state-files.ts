import { randomUUID } from "node:crypto";
import { open, readdir, readFile, rename, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { ifThere } from "./if-there.ts";

/** The folder of a run that holds its state. */
export const stateFolder = ".imagemill";

/** The small files of a run's state, each read and written as a whole, wherever the run is kept. */
export interface StateFiles {
  /** The run's location: a path or `s3://bucket/prefix`. */
  readonly location: string;
  read(name: string): Promise<string | undefined>;
  /** `durable`: once it resolves, a disk has it, too. */
  write(name: string, text: string, options?: { durable: boolean }): Promise<void>;
  remove(name: string): Promise<void>;
  /** Length of the journal. */
  journalBytes(): Promise<number>;
}

/** Where state files are: a path stands for the run directory there. */
export type StateAt = string | StateFiles;

/** The state files of a place. */
export function stateFilesOf(at: StateAt): StateFiles {
  return typeof at === "string" ? new FolderState(at) : at;
}

/** Where a run directory's journal is. */
export function journalPath(directory: string): string {
  return join(directory, stateFolder, "journal.jsonl");
}

class FolderState implements StateFiles {
  readonly location: string;

  constructor(directory: string) {
    this.location = directory;
  }

  async read(name: string): Promise<string | undefined> {
    return await ifThere(readFile(this.#path(name), "utf8"));
  }

  async write(name: string, text: string, { durable } = { durable: false }): Promise<void> {
    const path = this.#path(name);
    // Who steers and the run's producer may write the same file at once, from any machine.
    const half = halfOf(path);
    try {
      await writeNew(half, text, durable);
      await rename(half, path);
    } catch (error) {
      await rm(half, { force: true }).catch(() => undefined);
      throw error;
    }
  }

  async remove(name: string): Promise<void> {
    await rm(this.#path(name), { force: true });
  }

  async journalBytes(): Promise<number> {
    return (await stat(journalPath(this.location))).size;
  }

  #path(name: string): string {
    return join(this.location, stateFolder, name);
  }
}

async function writeNew(path: string, text: string, durable: boolean): Promise<void> {
  await using file = await open(path, "wx");
  await file.writeFile(text);
  if (durable) await file.datasync();
}

/** No write takes as long: a file as old as this was left by a crash, whatever the clocks of two machines say. */
const leftAfterMs = 3_600_000;
const halfWritten = /\.[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\.new$/;

/** Where a file of the state folder is while it is written: another place each time. */
export function halfOf(path: string): string {
  return `${path}.${randomUUID()}.new`;
}

/** Removes files of a run's state folder that a crash left half written. */
export async function removeHalfWritten(directory: string): Promise<void> {
  const folder = join(directory, stateFolder);
  for (const name of await readdir(folder)) {
    if (!halfWritten.test(name)) continue;
    const path = join(folder, name);
    const found = await ifThere(stat(path));
    if (found && found.mtimeMs < Date.now() - leftAfterMs) await rm(path, { force: true });
  }
}
