import { basename, dirname, join } from "node:path";
import { readJournalHeads } from "../shared/journal-reader.ts";
import { listIfThere } from "../shared/list-if-there.ts";
import { imagePath } from "../shared/storage.ts";
import type { LinePlace, Settled } from "./settled.ts";

/** Prompts whose images are in one folder. */
const shardSize = 1_000;

/**
 * Reopens prompts that are settled as succeeded though files of their images are gone, so that these alone are made
 * again. Reads folder listings only, one for 1,000 prompts; where the run has no folder of images at all they are kept
 * elsewhere. Gives how many images are gone.
 */
export async function reopenGone(
  directory: string,
  journal: string,
  settled: Settled,
  numGenerations: number,
): Promise<number> {
  if (!(await listIfThere(join(directory, "images")))) return 0;
  const gone = new Map<number, Set<number>>();
  for (let first = 0; first < settled.size; first += shardSize) {
    const last = Math.min(first + shardSize, settled.size);
    const whole = range(first, last).filter((index) => settled.isWhole(index));
    if (whole.length === 0) continue;
    const folder = dirname(imagePath(first, 0));
    const names = (await listIfThere(join(directory, folder))) ?? [];
    const present = new Set(names.map((name) => name.replace(/\.\w+$/, "")));
    for (const index of whole) {
      const missing = range(0, numGenerations).filter(
        (generation) => !present.has(basename(imagePath(index, generation))),
      );
      if (missing.length > 0) gone.set(index, new Set(missing));
    }
  }
  if (gone.size > 0) await reopen(journal, settled, gone);
  return [...gone.values()].reduce((sum, generations) => sum + generations.size, 0);
}

/** The journal is read once more: where a line stands is known only of prompts that are to be done again. */
async function reopen(
  journal: string,
  settled: Settled,
  gone: ReadonlyMap<number, ReadonlySet<number>>,
): Promise<void> {
  const places = new Map<number, LinePlace>();
  for await (const { heads } of readJournalHeads(journal)) {
    for (const { index, offset, length } of heads) {
      const generations = gone.get(index);
      if (generations) places.set(index, { offset, length, gone: generations });
    }
  }
  for (const [index, place] of places) settled.reopen(index, place);
}

function range(first: number, end: number): number[] {
  return Array.from({ length: end - first }, (_, i) => first + i);
}
