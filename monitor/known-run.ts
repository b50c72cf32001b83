import { open, stat } from "node:fs/promises";
import { asError, hasCode } from "../shared/caught.ts";
import type { JournalLine } from "../shared/journal-line.ts";
import { readJournalLineAt } from "../shared/journal-reader.ts";
import { readRunFile, runFilePath, type RunFile } from "../shared/run-file.ts";
import { journalPath } from "../shared/state-files.ts";
import { countRows } from "./count-rows.ts";
import type { PromptEntry } from "./prompt-table.ts";
import { RunIndex } from "./run-index.ts";

/** An index that nobody has looked at for so long is dropped; it is made again when needed. */
const forgetMs = 15 * 60_000;

/** A run directory that the monitor was given, with the index of its journal once that is needed. */
export class KnownRun {
  readonly directory: string;
  #file: RunFile;
  #fileMtimeMs = -1;
  #index: RunIndex | undefined;
  #journalBytes = 0;
  #grewAt = 0;
  #lookedAt = 0;
  #fileTrouble: Error | undefined;
  #journalTrouble: Error | undefined;
  #rows: number | undefined;
  #counted = "";
  #refreshing: Promise<boolean> | undefined;

  constructor(directory: string, file: RunFile) {
    this.directory = directory;
    this.#file = file;
  }

  get file(): RunFile {
    return this.#file;
  }

  get journalBytes(): number {
    return this.#journalBytes;
  }

  /** When the journal was last seen to grow, in milliseconds since 1970; 0 where it was not. */
  get grewAt(): number {
    return this.#grewAt;
  }

  /** About how many rows the dataset has, while the run itself does not know; undefined where that cannot be told. */
  get estimatedRows(): number | undefined {
    return this.#rows;
  }

  /** Why `run.json` cannot be read, or the journal not to its end: what is known is older than the run. */
  get trouble(): Error | undefined {
    return this.#fileTrouble ?? this.#journalTrouble;
  }

  /** The index as far as it has come; undefined where nobody has needed it. */
  get index(): RunIndex | undefined {
    return this.#index;
  }

  /** Makes the index be made and kept; resolves when it has caught up with the journal. */
  async look(): Promise<void> {
    this.#lookedAt = Date.now();
    await this.refresh();
  }

  /** The share of the journal that is in the index. */
  get indexed(): number {
    if (this.#journalBytes === 0) return 1;
    return Math.min(1, (this.#index?.bytes ?? 0) / this.#journalBytes);
  }

  /** Looks at the files again, and reads what is new where somebody wants it. False where the run is gone. */
  refresh(): Promise<boolean> {
    this.#refreshing ??= this.#refresh().finally(() => (this.#refreshing = undefined));
    return this.#refreshing;
  }

  async #refresh(): Promise<boolean> {
    if (!(await this.#refreshFile())) return false;
    void this.#countRows();
    const size = await sizeOf(journalPath(this.directory));
    // A journal that is shorter than what was read of it is another one, or lost a line that was never whole.
    if (size < (this.#index?.bytes ?? 0)) this.#index = undefined;
    if (size > this.#journalBytes && this.#journalBytes > 0) this.#grewAt = Date.now();
    this.#journalBytes = size;
    const isWanted = Date.now() - this.#lookedAt < forgetMs || this.#file.summary === null;
    if (!isWanted && Date.now() - this.#grewAt > forgetMs) this.#index = undefined;
    else if (size > (this.#index?.bytes ?? 0)) await this.#readOn();
    else this.#journalTrouble = undefined;
    return true;
  }

  /** Once for each state of the dataset that the run tells of. */
  async #countRows(): Promise<void> {
    const { dataset, summary } = this.#file;
    const state = `${dataset.size} ${dataset.mtimeMs}`;
    if (dataset.rows !== null || summary !== null || state === this.#counted) return;
    this.#counted = state;
    this.#rows = await countRows(this.#file);
  }

  async #refreshFile(): Promise<boolean> {
    try {
      const { mtimeMs } = await stat(runFilePath(this.directory));
      if (mtimeMs === this.#fileMtimeMs) return true;
      const file = await readRunFile(this.directory);
      if (!file) return false;
      this.#fileTrouble = undefined;
      if (file.id !== this.#file.id) this.#index = undefined;
      this.#file = file;
      this.#fileMtimeMs = mtimeMs;
      return true;
    } catch (error) {
      if (hasCode(error, "ENOENT") || hasCode(error, "ENOTDIR")) return false;
      this.#fileTrouble = asError(error);
      return true;
    }
  }

  async #readOn(): Promise<void> {
    this.#index ??= new RunIndex(Date.parse(this.#file.createdAt));
    try {
      await this.#index.readOn(journalPath(this.directory));
      this.#journalTrouble = undefined;
    } catch (error) {
      this.#journalTrouble = asError(error);
    }
  }

  /** Reads the lines of these prompts again, in their order. */
  async lines(entries: readonly PromptEntry[]): Promise<JournalLine[]> {
    if (entries.length === 0) return [];
    const journal = await open(journalPath(this.directory));
    try {
      return await Promise.all(
        entries.map(({ offset, length }) => readJournalLineAt(journal, offset, length)),
      );
    } finally {
      await journal.close();
    }
  }
}

async function sizeOf(path: string): Promise<number> {
  try {
    return (await stat(path)).size;
  } catch (error) {
    if (hasCode(error, "ENOENT")) return 0;
    throw error;
  }
}
