import * as fs from "node:fs";
import { open, rename } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { promisify } from "node:util";
import { hasCode } from "./caught.ts";
import { ifThere } from "./if-there.ts";

// What is done for every image goes without `node:fs/promises`: for a small one that takes the main thread half as long again.
const link = promisify(fs.link);
const unlink = promisify(fs.unlink);

/** Replacing takes two steps of the disk: who has begun it and is not done after so long has died. */
const replacedWithinMs = 5_000;
const lookAgainMs = 20;
/** What is there at each try to link, and is not there to be read. */
const goneTimes = 10;

/** A file as it was read. */
interface ReadFile {
  bytes: Uint8Array;
  /** Of no other file that ever comes to be in its place. */
  identity: string;
}

/**
 * Links an image into place, or gives back the valid one that is there already. What is there and no image is replaced by
 * one of those who want to: he who could link his image to a name that stands for that very file, in the folder `claims`,
 * moves it from there into place.
 */
export async function linkInPlace(
  from: string,
  to: string,
  isValid: (bytes: Uint8Array) => boolean,
  claims: string,
): Promise<Uint8Array | undefined> {
  const waiting = new Map<string, number>();
  for (let gone = 0; !(await isLinked(from, to));) {
    const standing = await read(to);
    if (!standing) {
      if (++gone > goneTimes) throw new Error("expected a file or nothing, got a link to nowhere");
      continue;
    }
    if (isValid(standing.bytes)) return standing.bytes;
    const claim = join(claims, `in-place-of-${standing.identity}`);
    if (!(await isLinked(from, claim))) await waitFor(claim, waiting, from);
    else if (await replaces(claim, to, standing)) return undefined;
  }
  return undefined;
}

/** False where there is something already. */
async function isLinked(from: string, to: string): Promise<boolean> {
  try {
    await link(from, to);
    return true;
  } catch (error) {
    if (hasCode(error, "EEXIST")) return false;
    throw error;
  }
}

async function read(path: string): Promise<ReadFile | undefined> {
  const file = await ifThere(open(path));
  if (!file) return undefined;
  try {
    const { ino, mtimeNs } = await file.stat({ bigint: true });
    return { bytes: await file.readFile(), identity: `${ino}-${mtimeNs}` };
  } finally {
    await file.close();
  }
}

/**
 * Moves the claim into the place of what it stands for. False where that is gone: somebody who had the claim before has
 * replaced it. Nobody else can do so meanwhile.
 */
async function replaces(claim: string, to: string, replaced: ReadFile): Promise<boolean> {
  if ((await read(to))?.identity === replaced.identity)
    return (await ifThere(rename(claim, to).then(() => true))) ?? false;
  await ifThere(unlink(claim));
  return false;
}

/** Takes away the claim of one that has died. `waiting`: since when each was seen. */
async function waitFor(claim: string, waiting: Map<string, number>, own: string): Promise<void> {
  const since = waiting.get(claim) ?? performance.now();
  waiting.set(claim, since);
  if (performance.now() - since < replacedWithinMs) {
    await delay(lookAgainMs);
    return;
  }
  waiting.delete(claim);
  // Of several that wait one moves it.
  await ifThere(rename(claim, `${own}-left`).then(() => unlink(`${own}-left`)));
}
