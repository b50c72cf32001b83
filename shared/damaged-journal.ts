import { open } from "node:fs/promises";
import { growing, listParts, type Part } from "./numbered-parts.ts";
import type { ObjectStore } from "./object-store.ts";
import { StorageError } from "./storage.ts";
import { UsageError } from "./usage-error.ts";

const LF = 0x0a;

/** A line of a journal is none, and not the last one. */
export class DamagedJournal extends UsageError {
  /** Of the file that was read. */
  readonly path: string;
  /** The byte that the line begins at. */
  readonly offset: number;

  /** `line` counts from 1. */
  constructor(path: string, line: number, offset: number, options: { cause: unknown }) {
    super(textOf(path, line), options);
    this.path = path;
    this.offset = offset;
  }
}

function textOf(name: string, line: number): string {
  return (
    `${name} is damaged: line ${line} is not a journal line that this version of imagemill can read. ` +
    `Keep a copy of it, remove line ${line} and run the same command again: ` +
    "where no other line tells of its prompt, `resume` settles that again; images that are stored are not bought again"
  );
}

/**
 * Takes what reading a journal throws: damage of the local copy of one that is kept in a bucket is told by the part there.
 * Without a store the file itself is the journal.
 */
export function damageIn(store: ObjectStore | undefined): (error: unknown) => Promise<never> {
  return async (error) => {
    if (store && error instanceof DamagedJournal) throw await damageOfPart(error, store);
    throw error;
  };
}

async function damageOfPart(error: DamagedJournal, store: ObjectStore): Promise<UsageError> {
  const { path, offset } = error;
  const found = await findPart(store, offset);
  if (!found) return new UsageError(`${store.location}: ${error.message}`, { cause: error });
  const before = Buffer.alloc(offset - found.start);
  await using copy = await open(path);
  await copy.read(before, 0, before.length, found.start);
  const line = before.reduce((lines, byte) => lines + (byte === LF ? 1 : 0), 1);
  return new UsageError(textOf(`${store.location}/${found.part.name}`, line), { cause: error });
}

/** The part that has a byte of the whole, and where it begins; undefined where the storage does not tell. */
async function findPart(
  store: ObjectStore,
  offset: number,
): Promise<{ part: Part; start: number } | undefined> {
  try {
    const { parts } = await listParts(store, growing.journal);
    let start = 0;
    for (const part of parts) {
      if (offset < start + part.bytes) return { part, start };
      start += part.bytes;
    }
    return undefined;
  } catch (error) {
    if (error instanceof StorageError) return undefined;
    throw error;
  }
}
