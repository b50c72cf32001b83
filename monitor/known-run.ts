import { open } from "node:fs/promises";
import { asError } from "../shared/caught.ts";
import { damageIn } from "../shared/damaged-journal.ts";
import type { JournalLine } from "../shared/journal-line.ts";
import { readJournalLineAt } from "../shared/journal-reader.ts";
import { isOver } from "../shared/resting-state.ts";
import type { RunFile } from "../shared/run-file.ts";
import { journalPath } from "../shared/state-files.ts";
import type { Steering } from "../shared/steering.ts";
import { countRows } from "./count-rows.ts";
import type { PromptEntry } from "./prompt-table.ts";
import { type JournalSums, RunIndex } from "./run-index.ts";
import type { RunSource } from "./run-source.ts";

/** The index of a journal that nobody has looked at or written for so long is dropped; it is made again when needed. */
const forgetMs = 15 * 60_000;

/**
 * A run that the monitor was given, with the index of its journal while that is needed: there may be tens of thousands of
 * them. Of one without a summary the sums are needed, too; they stay when the index is dropped.
 */
export class KnownRun {
  readonly source: RunSource;
  #file: RunFile;
  #steering: Steering | undefined;
  #index: RunIndex | undefined;
  /** Of a journal whose index was dropped. */
  #sums: JournalSums | undefined;
  #journalBytes = 0;
  /** How long the journal was when it was last read to its end, or as far as it can be. */
  #readBytes = -1;
  #rewrites = 0;
  #refreshedAt = 0;
  #writtenAt = 0;
  #lookedAt = 0;
  #fileTrouble: Error | undefined;
  #journalTrouble: Error | undefined;
  #readTrouble: Error | undefined;
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

  /** How it is steered while no producer has it open, as last read; not looked for where nothing is left to be done. */
  get steering(): Steering | undefined {
    return this.#steering;
  }

  get journalBytes(): number {
    return this.#journalBytes;
  }

  /** About how many rows the dataset has, while the run itself does not know; undefined where that cannot be told. */
  get estimatedRows(): number | undefined {
    return this.#rows;
  }

  /** Why `run.json` cannot be read, or the journal not to its end: what is known is older than the run. */
  get trouble(): Error | undefined {
    return this.#fileTrouble ?? this.#journalTrouble ?? this.#readTrouble;
  }

  /** The index as far as it has come; undefined where nobody has needed it. */
  get index(): RunIndex | undefined {
    return this.#index;
  }

  /** What the journal came to when it was last read to its end; undefined before. */
  get sums(): JournalSums | undefined {
    return this.#index && this.indexed === 1 ? this.#index.sums(this.#file) : this.#sums;
  }

  /** When a prompt was last settled, in milliseconds since 1970; undefined while that is not known. */
  get lastSettledAt(): number | undefined {
    return (this.#index ?? this.#sums)?.lastSettledAt;
  }

  /** Makes the index be made and kept; resolves when it has caught up with the journal. False where the run is gone. */
  async look(): Promise<boolean> {
    this.#lookedAt = Date.now();
    return await this.refresh();
  }

  /** The share of the journal that is in the index. */
  get indexed(): number {
    // A torn last line is not in the index, and does not come into it.
    const isRead = this.#readBytes === this.#journalBytes && !this.#readTrouble;
    if (isRead || this.#journalBytes === 0) return 1;
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

  /** Whether it is looked at or written, was a moment ago, or has to be read for its sums. */
  get #isWanted(): boolean {
    const since = Date.now() - forgetMs;
    const hasNoSums = this.#file.summary === null && this.#readBytes !== this.#journalBytes;
    return this.#lookedAt > since || this.#writtenAt > since || hasNoSums;
  }

  async #refreshJournal(): Promise<void> {
    const isWanted = this.#isWanted;
    const { bytes, rewrites, writtenAt = 0 } = await this.source.refreshJournal(isWanted);
    // A journal that is shorter than what was read of it is another one, or lost a line that was never whole.
    if (bytes < (this.#index?.bytes ?? 0) || rewrites !== this.#rewrites) this.#forget();
    this.#rewrites = rewrites;
    if (bytes > this.#journalBytes && this.#journalBytes > 0) this.#writtenAt = Date.now();
    if (this.#file.summary === null) this.#writtenAt = Math.max(this.#writtenAt, writtenAt);
    this.#journalBytes = bytes;
    // It may have been mended meanwhile.
    if (bytes !== this.#readBytes) this.#readTrouble = undefined;
    if (isWanted) await this.#readOn();
    if (!this.#isWanted && this.#index) this.#drop();
  }

  /** Keeps no more than what lists show of it. */
  #drop(): void {
    this.#sums = this.sums;
    this.#index = undefined;
  }

  /** Another run, or another journal, is in its place. */
  #forget(): void {
    this.#index = undefined;
    this.#readTrouble = undefined;
    this.#forgetSums();
  }

  #forgetSums(): void {
    this.#sums = undefined;
    this.#readBytes = -1;
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
      if (file.id !== this.#file.id) this.#forget();
      // What is to be done again is another number then.
      else if (file.revision !== this.#file.revision || file.round !== this.#file.round)
        this.#forgetSums();
      this.#file = file;
      this.#steering = isOver(file) ? undefined : await this.source.readSteering();
      this.#fileTrouble = undefined;
    } catch (error) {
      this.#fileTrouble = asError(error);
    }
    return true;
  }

  async #readOn(): Promise<void> {
    if (this.#journalBytes > (this.#index?.bytes ?? 0)) {
      this.#index ??= new RunIndex(Date.parse(this.#file.createdAt));
      const reading = this.#index.readOn(this.journal).catch(damageIn(this.source.store));
      this.#readTrouble = await reading.then(() => undefined, asError);
    }
    this.#readBytes = Math.max(this.#journalBytes, this.#index?.bytes ?? 0);
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
