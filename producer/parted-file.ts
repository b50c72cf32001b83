import { open } from "node:fs/promises";
import { setTimeout as delay } from "node:timers/promises";
import {
  listParts,
  partName,
  sizeOfParts,
  type Part,
  type PartFolder,
} from "../shared/numbered-parts.ts";
import { ifThere } from "../shared/if-there.ts";
import type { ObjectStore } from "../shared/object-store.ts";
import { PartedCopy } from "../shared/parted-copy.ts";
import { StorageError } from "../shared/storage.ts";
import type { ObjectLock } from "./object-lock.ts";
import { RunLostError } from "./run-lock.ts";

/** Parts that follow each other faster than this in the long run wait, each of them costs. */
const partsPerSecond = 2;
/** So many may come at once. */
const burst = 60;
/** So many small parts at the end are joined, or fewer that are so large together: a part is held in memory. */
const mostSmallParts = 100;
const joinedBytes = 8 * 1024 * 1024;
/** A life that has appended nothing joins only so many: a part that was just told as damaged keeps its name. */
const idleParts = 10;

/** What a parted file is made of. */
export interface PartedFileParts {
  store: ObjectStore;
  folder: PartFolder;
  /** The same bytes, in one local file. */
  path: string;
  lock: ObjectLock;
}

/**
 * A file that grows, kept in an object store as numbered parts. A part is put on the condition that there is none of its
 * number: a producer that lost the run can add nothing.
 */
export class PartedFile {
  readonly #parts: PartedFileParts;
  readonly #kept: Part[];
  /** What was tried to be kept as the next part, and may be there. */
  #tried: Buffer[] = [];
  #hasAppended = false;
  #allowance = burst;
  #allowedAt = Date.now();

  constructor(parts: PartedFileParts, kept: Part[]) {
    this.#parts = parts;
    this.#kept = kept;
  }

  /** Brings what is kept into the local file. From then on nobody who had the lock before can add to it. */
  static async open(parts: PartedFileParts): Promise<PartedFile> {
    const { store, folder, path } = parts;
    for (;;) {
      const next = ((await listParts(store, folder)).parts.at(-1)?.last ?? 0) + 1;
      const fence = await store.put(partName(folder, next), Buffer.alloc(0), "absent");
      if (fence !== undefined) break;
    }
    const { parts: kept, covered } = await new PartedCopy(store, folder, path).refresh();
    for (const name of covered) await store.remove(name);
    return new PartedFile(parts, kept);
  }

  /**
   * Keeps bytes that follow in the local file; they are kept when it resolves. After an error they count as not kept.
   * @throws RunLostError where another producer has taken the run over
   */
  async append(bytes: Buffer): Promise<void> {
    const small = this.#smallParts();
    if (small.length >= mostSmallParts || (small.length > 1 && sizeOfParts(small) >= joinedBytes))
      await this.#join();
    await this.#wait();
    const { folder, store } = this.#parts;
    const number = this.#next();
    const name = partName(folder, number);
    this.#tried.push(bytes);
    const tag = (await store.put(name, bytes, "absent")) ?? (await this.#putAgain(name, bytes));
    this.#tried = [];
    this.#hasAppended = true;
    this.#kept.push({ name, first: number, last: number, bytes: bytes.length, tag });
  }

  /**
   * Cuts off what stands behind so many bytes, as the local file is cut.
   * @throws RunLostError where another producer has taken the run over
   */
  async cut(length: number): Promise<void> {
    const { store, path } = this.#parts;
    await using file = await open(path);
    let start = 0;
    for (const part of this.#kept) {
      const end = start + part.bytes;
      if (end > length) {
        const bytes = Buffer.alloc(Math.max(0, length - start));
        await file.read(bytes, 0, bytes.length, start);
        const tag = await store.put(part.name, bytes, { tag: part.tag });
        if (tag === undefined) throw this.#lost(part.name);
        Object.assign(part, { bytes: bytes.length, tag });
      }
      start = end;
    }
  }

  /** Joins what is small, so that the next life has little to fetch; a storage that is away is not waited for. */
  async close(): Promise<void> {
    if (this.#smallParts().length < (this.#hasAppended ? 2 : idleParts)) return;
    await this.#join().catch((error: unknown) => {
      if (!(error instanceof StorageError)) throw error;
    });
  }

  #next(): number {
    return (this.#kept.at(-1)?.last ?? 0) + 1;
  }

  /** There is a part of this number: one that we tried to put and whose answer was lost, or another producer's. */
  async #putAgain(name: string, bytes: Buffer): Promise<string> {
    const { store, lock } = this.#parts;
    const standing = await store.get(name);
    if (!standing || !this.#tried.some((tried) => tried.equals(standing.bytes)))
      throw this.#lost(name);
    if (standing.bytes.equals(bytes)) return standing.tag;
    await lock.renew();
    const tag = await store.put(name, bytes, { tag: standing.tag });
    return tag ?? (await this.#putAgain(name, bytes));
  }

  #lost(name: string): RunLostError {
    return new RunLostError(
      `this producer lost its run to another one, which wrote ${this.#parts.store.location}/${name}: it writes nothing more`,
    );
  }

  async #wait(): Promise<void> {
    const now = Date.now();
    const earned = ((now - this.#allowedAt) / 1000) * partsPerSecond;
    this.#allowance = Math.min(burst, this.#allowance + earned) - 1;
    this.#allowedAt = now;
    if (this.#allowance < 0) await delay((-this.#allowance / partsPerSecond) * 1000);
  }

  #smallParts(): Part[] {
    return this.#kept.slice(this.#kept.findLastIndex((part) => part.bytes >= joinedBytes) + 1);
  }

  /** The joined part is there before those that it replaces go: a crash in between leaves parts that do not count. */
  async #join(): Promise<void> {
    const { folder, store, path } = this.#parts;
    const small = this.#smallParts();
    const length = sizeOfParts(small);
    const bytes = Buffer.alloc(length);
    await using file = await ifThere(open(path));
    const read = await file?.read(bytes, 0, length, sizeOfParts(this.#kept) - length);
    // A copy that somebody has cut or removed is less than what is kept: its parts stay as they are.
    if (read?.bytesRead !== length) return;
    const { first } = small[0]!;
    const { last } = small.at(-1)!;
    const name = partName(folder, first, last);
    const tag = (await store.put(name, bytes)) ?? "";
    this.#kept.splice(-small.length, small.length, { name, first, last, bytes: length, tag });
    await Promise.all(small.map((part) => store.remove(part.name)));
  }
}
