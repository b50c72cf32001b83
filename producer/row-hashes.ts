import { open, type FileHandle } from "node:fs/promises";
import { plural } from "../shared/quantity.ts";
import { UsageError } from "../shared/usage-error.ts";
import type { Keep } from "./run-place.ts";

const hashBytes = 8;

/**
 * `.imagemill/rows.bin`: 8 bytes for each row that was read, in order. A resumed run compares, so that no prompt is
 * ever settled under a row that was changed behind its back.
 */
export class RowHashes implements AsyncDisposable {
  readonly #file: FileHandle;
  readonly #keep: Keep;
  #pending: Buffer[] = [];
  #count: number;

  constructor(file: FileHandle, count: number, keep: Keep = async () => {}) {
    this.#file = file;
    this.#keep = keep;
    this.#count = count;
  }

  /** `keep`: keeps what is written to the file elsewhere, too. */
  static async open(path: string, keep?: Keep): Promise<RowHashes> {
    const file = await open(path, "a+");
    const { size } = await file.stat();
    const count = Math.floor(size / hashBytes);
    // A torn last record is written anew. A file that is whole is not touched, not even in its time.
    if (size !== count * hashBytes) await file.truncate(count * hashBytes);
    return new RowHashes(file, count, keep);
  }

  /** Only for {@link verify}: the file is not touched, and may be another producer's. */
  static async openForReading(path: string): Promise<RowHashes> {
    const file = await open(path, "r");
    const { size } = await file.stat();
    return new RowHashes(file, Math.floor(size / hashBytes));
  }

  /** How many rows are known. */
  get count(): number {
    return this.#count;
  }

  /** Notes the hash (16 hex digits) of the next row; rows known already are passed over. */
  add(index: number, hash: string): void {
    if (index < this.#count) return;
    this.#pending.push(Buffer.from(hash, "hex"));
    this.#count += 1;
  }

  /** Writes what was added. Must resolve before a job of these rows is sent. */
  async flush(): Promise<void> {
    if (this.#pending.length === 0) return;
    const written = (this.#count - this.#pending.length) * hashBytes;
    const bytes = Buffer.concat(this.#pending);
    try {
      await this.#file.appendFile(bytes);
      await this.#keep(bytes);
      this.#pending = [];
    } catch (error) {
      // What was written in part is written anew the next time.
      await this.#file.truncate(written);
      throw error;
    }
  }

  /**
   * Compares the dataset as it is now with the rows that were read.
   * @throws UsageError naming the first row that differs or is gone
   */
  async verify(rows: AsyncIterable<{ row: number; hash: string }>, path: string): Promise<void> {
    const known = Buffer.alloc(Math.min(this.#count, 64 * 1024) * hashBytes);
    let index = 0;
    let from = 0;
    let loaded = 0;
    if (this.#count === 0) return;
    for await (const { row, hash } of rows) {
      if (index - from >= loaded) {
        from = index;
        const { bytesRead } = await this.#file.read(known, 0, known.length, from * hashBytes);
        loaded = Math.floor(bytesRead / hashBytes);
      }
      const offset = (index - from) * hashBytes;
      if (known.toString("hex", offset, offset + hashBytes) !== hash) {
        throw new UsageError(
          `row ${row} of ${path} has changed since this run read it: restore it, or start a new run with another --out`,
        );
      }
      index += 1;
      if (index === this.#count) return;
    }
    throw new UsageError(
      `${path} has ${plural(index, "row")}, but this run has read ${this.#count}: rows may be appended, not removed; ` +
        "restore them, or start a new run with another --out",
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#file.close();
  }
}
