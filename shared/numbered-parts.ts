import { createWriteStream } from "node:fs";
import { pipeline } from "node:stream/promises";
import { inOrder } from "./in-order.ts";
import type { ObjectStore } from "./object-store.ts";
import { stateFolder } from "./state-files.ts";
import { StorageError } from "./storage.ts";

/** One object of a file that is kept in parts, which are numbered from 1: several that were joined have a range. */
export interface Part {
  name: string;
  first: number;
  last: number;
  bytes: number;
}

/** What a listing of parts says. */
export interface ListedParts {
  /** In order, without a gap. */
  parts: Part[];
  /** Names of parts that were joined to others, and were left behind by a crash. */
  covered: string[];
}

/** How many parts are fetched at once. */
const fetchedAtOnce = 8;
/** How often a fetch begins anew because parts were joined meanwhile. */
const fetchTries = 5;

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
  for await (const { name, bytes } of store.list(`${folder}/`)) {
    const numbers = /\/(\d{8})(?:-(\d{8}))?\.\w+$/.exec(name);
    if (!numbers) continue;
    const first = Number(numbers[1]);
    found.push({ name, first, last: Number(numbers[2] ?? first), bytes });
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

/** Writes the parts of a file one behind the other to `path`, and gives those that it wrote. */
export async function fetchParts(
  store: ObjectStore,
  folder: PartFolder,
  path: string,
): Promise<ListedParts> {
  for (let tries = 1; ; tries++) {
    const listed = await listParts(store, folder);
    try {
      const bytes = inOrder(listed.parts, fetchedAtOnce, ({ name }) => fetchPart(store, name));
      await pipeline(bytes, createWriteStream(path));
      return listed;
    } catch (error) {
      if (!(error instanceof PartGone) || tries === fetchTries) throw error;
    }
  }
}

/** A part was joined to others since it was listed. */
class PartGone extends StorageError {}

async function fetchPart(store: ObjectStore, name: string): Promise<Buffer> {
  const object = await store.get(name);
  if (!object) throw new PartGone(`${store.location}/${name} is gone`);
  return object.bytes;
}
