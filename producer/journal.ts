import { open, type FileHandle } from "node:fs/promises";
import type { JournalLine } from "../shared/journal-line.ts";
import type { RunLock } from "./run-lock.ts";
import type { Keep } from "./run-place.ts";

/** The end of a run's journal: its only writer. */
export class Journal implements AsyncDisposable {
  readonly #file: FileHandle;
  readonly #lock: RunLock;
  readonly #keep: Keep;
  #bytes: number;
  /** Collector and feeder both append: one after the other. */
  #turn: Promise<unknown> = Promise.resolve();

  constructor(file: FileHandle, lock: RunLock, bytes: number, keep: Keep = () => file.datasync()) {
    this.#file = file;
    this.#lock = lock;
    this.#keep = keep;
    this.#bytes = bytes;
  }

  /**
   * Opens the journal to append after `validBytes`; what is torn behind them is cut off. `keep`: what makes appended lines
   * durable, if not the disk.
   */
  static async open(
    path: string,
    validBytes: number,
    lock: RunLock,
    keep?: Keep,
  ): Promise<Journal> {
    const file = await open(path, "a");
    // A journal that is whole is not touched, not even in its time.
    if ((await file.stat()).size !== validBytes) await file.truncate(validBytes);
    return new Journal(file, lock, validBytes, keep);
  }

  /** Length in bytes. */
  get bytes(): number {
    return this.#bytes;
  }

  /**
   * Appends lines; they are durable when it resolves.
   * @throws Error where another producer has taken the run over, or the disk or storage refuses: then nothing counts as written
   */
  append(lines: readonly JournalLine[]): Promise<void> {
    const turn = this.#turn.then(() => this.#append(lines));
    this.#turn = turn.catch(() => undefined);
    return turn;
  }

  async #append(lines: readonly JournalLine[]): Promise<void> {
    if (lines.length === 0) return;
    await this.#lock.check();
    const bytes = Buffer.from(lines.map((line) => `${JSON.stringify(line)}\n`).join(""));
    try {
      await this.#file.appendFile(bytes);
      await this.#keep(bytes);
    } catch (error) {
      await this.#file.truncate(this.#bytes);
      throw error;
    }
    this.#bytes += bytes.length;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#file.close();
  }
}
