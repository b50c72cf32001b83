import { hash } from "node:crypto";
import { open, type FileHandle } from "node:fs/promises";
import { inOrder } from "./in-order.ts";
import {
  fetchPart,
  listParts,
  PartGone,
  sizeOfParts,
  type ListedParts,
  type Part,
  type PartFolder,
} from "./numbered-parts.ts";
import type { ObjectStore } from "./object-store.ts";

/** How many parts are fetched at once. */
const fetchedAtOnce = 8;
/** How often a fetch begins anew because parts were joined meanwhile. */
const fetchTries = 5;

/** A part whose bytes are in the copy. */
interface CopiedPart extends Part {
  /** It can change no more: the last part of all may still be put again by the producer that did not get its answer. */
  isFinal: boolean;
}

/**
 * A local copy of a file that another process keeps in numbered parts, brought up to date by fetching only parts that are
 * new. For one user at a time.
 */
export class PartedCopy {
  readonly #store: ObjectStore;
  readonly #folder: PartFolder;
  readonly #path: string;
  /** Undefined before the first look. */
  #parts: CopiedPart[] | undefined;
  #rewrites = 0;

  /** `path`: a file that nobody else writes. What an earlier copy left in it is kept as far as it is the same. */
  constructor(store: ObjectStore, folder: PartFolder, path: string) {
    this.#store = store;
    this.#folder = folder;
    this.#path = path;
  }

  /** Length of the copy. */
  get bytes(): number {
    return sizeOfParts(this.#parts ?? []);
  }

  /** How often bytes that were in the copy have become others, as when a new run takes the place of an old one. */
  get rewrites(): number {
    return this.#rewrites;
  }

  /**
   * Fetches what is new, and tells of what parts it is made now. After an error the copy has what was fetched, as far as it
   * goes.
   * @throws StorageError where the storage is in trouble or a part is missing
   */
  async refresh(): Promise<ListedParts> {
    for (let tries = 1; ; tries++) {
      try {
        const { parts, covered } = await listParts(this.#store, this.#folder);
        await this.#catchUp(parts);
        return { parts: this.#parts ?? [], covered };
      } catch (error) {
        if (!(error instanceof PartGone) || tries === fetchTries) throw error;
      }
    }
  }

  async #catchUp(listed: readonly Part[]): Promise<void> {
    await using file = await open(this.#path, "a+");
    const same = this.#parts ? stillSame(this.#parts, listed) : await leftParts(file, listed);
    if (sizeOfParts(same) < this.bytes) this.#rewrites += 1;
    this.#parts = same;
    const wanted = listed.slice(same.length);
    // An earlier try may have written a part in part.
    if ((await file.stat()).size !== this.bytes) await file.truncate(this.bytes);
    const fetch = (part: Part) => this.#fetch(part, listed);
    for await (const [part, bytes] of inOrder(wanted, fetchedAtOnce, fetch)) {
      await file.appendFile(bytes);
      same.push(part);
    }
  }

  async #fetch(part: Part, listed: readonly Part[]): Promise<[CopiedPart, Buffer]> {
    const { bytes, tag } = await fetchPart(this.#store, part.name);
    return [{ ...part, bytes: bytes.length, tag, isFinal: isFinal(part, listed) }, bytes];
  }
}

function isFinal(part: Part, listed: readonly Part[]): boolean {
  return part.first < part.last || part !== listed.at(-1);
}

/**
 * What of a listing an earlier copy left in the file, by what is in it now. A tag is the MD5 of the bytes in most storages;
 * where it is not, nothing is taken to be the same.
 */
async function leftParts(file: FileHandle, listed: readonly Part[]): Promise<CopiedPart[]> {
  const { size } = await file.stat();
  const left: CopiedPart[] = [];
  let end = 0;
  for (const part of listed) {
    if ((end += part.bytes) > size) break;
    const bytes = Buffer.alloc(part.bytes);
    await file.read(bytes, 0, part.bytes, end - part.bytes);
    if (part.tag !== `"${hash("md5", bytes, "hex")}"`) break;
    left.push({ ...part, isFinal: isFinal(part, listed) });
  }
  return left;
}

/** What of a listing is in the copy, from its start: the same parts, or those that were joined. */
function stillSame(copied: readonly CopiedPart[], listed: readonly Part[]): CopiedPart[] {
  const same: CopiedPart[] = [];
  let at = 0;
  for (const part of listed) {
    const end = copied.findIndex(({ last }, position) => position >= at && last >= part.last) + 1;
    const covered = copied.slice(at, end);
    const [first] = covered;
    if (!first || covered.at(-1)!.last !== part.last) break;
    const isSame = first.name === part.name && first.tag === part.tag;
    const wasJoined = covered.every((each) => each.isFinal) && sizeOfParts(covered) === part.bytes;
    if (!isSame && !(covered.length > 1 && wasJoined)) break;
    same.push({ ...part, isFinal: isFinal(part, listed) });
    at = end;
  }
  return same;
}
