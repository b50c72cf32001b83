import { basename, dirname } from "node:path";
import { inOrder } from "../shared/in-order.ts";
import { readJournalHeads } from "../shared/journal-reader.ts";
import { imagePath } from "../shared/storage.ts";
import type { RunPlace } from "./run-place.ts";
import type { LinePlace, Settled } from "./settled.ts";
import type { WholeFolders } from "./whole-folders.ts";

/** Prompts whose images are in one folder. */
const shardSize = 1_000;
/** Folders that are listed at once: a listing of a storage takes a while. */
const shardsAtOnce = 16;

/** What is asked of a run's place. */
type ImageFolders = Pick<RunPlace, "listImages" | "stampOf">;

/**
 * Reopens prompts that are settled as succeeded though files of their images are gone, so that these alone are made
 * again. Reads folder listings only, one for 1,000 prompts; where the run has no folder of images at all they are kept
 * elsewhere. Gives how many images are gone.
 * @param known folders that are not listed again while they are what they were; those that are found whole are added
 */
export async function reopenGone(
  place: ImageFolders,
  journal: string,
  settled: Settled,
  numGenerations: number,
  known?: WholeFolders,
): Promise<number> {
  if (!(await place.listImages("images"))) return 0;
  const gone = new Map<number, ReadonlySet<number>>();
  const shards = range(0, Math.ceil(settled.size / shardSize));
  const look = (shard: number) => goneOfShard(place, shard, settled, numGenerations, known);
  for await (const found of inOrder(shards, shardsAtOnce, look))
    for (const [index, generations] of found) gone.set(index, generations);
  if (gone.size > 0) await reopen(journal, settled, gone);
  return [...gone.values()].reduce((sum, generations) => sum + generations.size, 0);
}

/** The generations that are gone of each prompt of a folder. */
async function goneOfShard(
  place: ImageFolders,
  shard: number,
  settled: Settled,
  numGenerations: number,
  known: WholeFolders | undefined,
): Promise<[index: number, generations: ReadonlySet<number>][]> {
  const first = shard * shardSize;
  const end = Math.min(first + shardSize, settled.size);
  const whole = settled.wholeBetween(first, end);
  if (whole.length === 0) return [];
  const folder = dirname(imagePath(first, 0));
  // Before the folder is listed: what changes meanwhile is another stamp the next time.
  const stamp = known && (await place.stampOf(folder));
  const is = stamp && [stamp, numGenerations, settled.digestBetween(first, end)].join(" ");
  if (is && known?.has(folder, is)) return [];
  const gone = goneOf(whole, (await place.listImages(folder)) ?? [], numGenerations);
  if (is && gone.length === 0) known?.add(folder, is);
  else known?.delete(folder);
  return gone;
}

/** Which generations of these prompts have no file among these names. */
function goneOf(
  whole: readonly number[],
  names: readonly string[],
  numGenerations: number,
): [index: number, generations: ReadonlySet<number>][] {
  const present = new Set(names.map((name) => name.replace(/\.\w+$/, "")));
  return whole.flatMap((index) => {
    const missing = range(0, numGenerations).filter(
      (generation) => !present.has(basename(imagePath(index, generation))),
    );
    return missing.length > 0 ? [[index, new Set(missing)]] : [];
  });
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
