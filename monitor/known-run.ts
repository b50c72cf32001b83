import { open } from "node:fs/promises";
import { asError } from "../shared/caught.ts";
import type { JournalLine } from "../shared/journal-line.ts";
import { readJournalLineAt } from "../shared/journal-reader.ts";
import type { RunFile } from "../shared/run-file.ts";
import { journalPath } from "../shared/state-files.ts";
import { countRows } from "./count-rows.ts";
import type { PromptEntry } from "./prompt-table.ts";
import { RunIndex } from "./run-index.ts";
import type { RunSource } from "./run-source.ts";

/** An index that nobody has looked at for so long is dropped; it is made again when needed. */
const forgetMs = 15 * 60_000;

/** A run that the monitor was given, with the index of its journal once that is needed. */
export class KnownRun {
  readonly source: RunSource;
  #file: RunFile;
  #index: RunIndex | undefined;
  #journalBytes = 0;
  #rewrites = 0;
  #refreshedAt = 0;
  #grewAt = 0;
  #lookedAt = 0;
  #fileTrouble: Error | undefined;
  #journalTrouble: Error | undefined;
  #rows: number | undefined;
  #counted = "";
  #refreshing: Promise<boolean> | undefined;

  constructor(source: RunSource, file: RunFile) {
    this.source = source;
    this.#file = file;
  }

  /** Where its journal can be read. */
  get journal(): string {
    return journalPath(this.source.directory);
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

  /** Makes the index be made and kept; resolves when it has caught up with the journal. False where the run is gone. */
  async look(): Promise<boolean> {
    this.#lookedAt = Date.now();
    return await this.refresh();
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
    const { wanted, idle } = this.source.everyMs;
    const everyMs = this.#isWanted ? (this.#index ? wanted : 0) : idle;
    if (Date.now() - this.#refreshedAt < everyMs) return true;
    if (!(await this.#refreshFile())) return false;
    this.#refreshedAt = Date.now();
    void this.#countRows();
    try {
      await this.#refreshJournal();
      this.#journalTrouble = undefined;
    } catch (error) {
      this.#journalTrouble = asError(error);
    }
    return true;
  }

  /** Whether it is looked at, under way, or was a moment ago. */
  get #isWanted(): boolean {
    const now = Date.now();
    const isLookedAt = now - this.#lookedAt < forgetMs || this.#file.summary === null;
    return isLookedAt || now - this.#grewAt <= forgetMs;
  }

  async #refreshJournal(): Promise<void> {
    const { bytes, rewrites } = await this.source.refreshJournal(this.#isWanted);
    // A journal that is shorter than what was read of it is another one, or lost a line that was never whole.
    if (bytes < (this.#index?.bytes ?? 0) || rewrites !== this.#rewrites) this.#index = undefined;
    this.#rewrites = rewrites;
    if (bytes > this.#journalBytes && this.#journalBytes > 0) this.#grewAt = Date.now();
    this.#journalBytes = bytes;
    if (!this.#isWanted) this.#index = undefined;
    else if (bytes > (this.#index?.bytes ?? 0)) await this.#readOn();
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
      const file = await this.source.readRun();
      if (!file) return false;
      this.#fileTrouble = undefined;
      if (file.id !== this.#file.id) this.#index = undefined;
      this.#file = file;
    } catch (error) {
      this.#fileTrouble = asError(error);
    }
    return true;
  }

  async #readOn(): Promise<void> {
    this.#index ??= new RunIndex(Date.parse(this.#file.createdAt));
    await this.#index.readOn(this.journal);
  }

  /** Reads the lines of these prompts again, in their order. */
  async lines(entries: readonly PromptEntry[]): Promise<JournalLine[]> {
    if (entries.length === 0) return [];
    const journal = await open(this.journal);
    try {
      return await Promise.all(
        entries.map(({ offset, length }) => readJournalLineAt(journal, offset, length)),
      );
    } finally {
      await journal.close();
    }
  }
}
