import type { ObjectStore, StoredObject } from "./object-store.ts";
import { stateFolder } from "./state-files.ts";
import { StorageError } from "./storage.ts";

/** One object of a file that is kept in parts, which are numbered from 1: several that were joined have a range. */
export interface Part {
  name: string;
  first: number;
  last: number;
  bytes: number;
  /** Of this very version of it. */
  tag: string;
}

/** What a listing of parts says. */
export interface ListedParts {
  /** In order, without a gap. */
  parts: Part[];
  /** Names of parts that were joined to others, and were left behind by a crash. */
  covered: string[];
}

const digits = (part: number) => String(part).padStart(8, "0");

/** The files of a run that grow while it is under way, each by the folder of its parts. */
export const growing = {
  journal: { folder: `${stateFolder}/journal`, extension: "jsonl" },
  rows: { folder: `${stateFolder}/rows`, extension: "bin" },
} as const;

/** Where parts are. */
export interface PartFolder {
  folder: string;
  extension: string;
}

/** The name of a part, or of those from `first` to `last` joined. */
export function partName({ folder, extension }: PartFolder, first: number, last = first): string {
  const range = first === last ? digits(first) : `${digits(first)}-${digits(last)}`;
  return `${folder}/${range}.${extension}`;
}

/** @throws StorageError where a part is missing */
export async function listParts(store: ObjectStore, { folder }: PartFolder): Promise<ListedParts> {
  const found: Part[] = [];
  for await (const { name, bytes, tag } of store.list(`${folder}/`)) {
    const numbers = /\/(\d{8})(?:-(\d{8}))?\.\w+$/.exec(name);
    if (!numbers) continue;
    const first = Number(numbers[1]);
    found.push({ name, first, last: Number(numbers[2] ?? first), bytes, tag });
  }
  found.sort((a, b) => a.first - b.first || b.last - a.last);
  const parts: Part[] = [];
  const covered: string[] = [];
  let next = 1;
  for (const part of found) {
    if (part.last < next) covered.push(part.name);
    else if (part.first === next) {
      parts.push(part);
      next = part.last + 1;
    } else {
      throw new StorageError(
        `${store.location}/${folder}: part ${next} is missing: bring it back from a copy, or start a new run with another --out`,
      );
    }
  }
  return { parts, covered };
}

/** How many bytes parts have together. */
export function sizeOfParts(parts: readonly Part[]): number {
  return parts.reduce((sum, { bytes }) => sum + bytes, 0);
}

/** A part was joined to others since it was listed. */
export class PartGone extends StorageError {}

/** @throws PartGone where it is not there any more */
export async function fetchPart(store: ObjectStore, name: string): Promise<StoredObject> {
  const object = await store.get(name);
  if (!object) throw new PartGone(`${store.location}/${name} is gone`);
  return object;
}
