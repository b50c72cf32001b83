import { basename, dirname } from "node:path";
import type { PromptResult } from "../shared/result.ts";
import type { RunPlace } from "./run-place.ts";

/** Asks whether all images of a result are in the run's own place; each folder is listed once. */
export function storedHere(
  listImages: RunPlace["listImages"],
): (result: PromptResult) => Promise<boolean> {
  const folders = new Map<string, Promise<ReadonlySet<string>>>();
  const namesIn = (folder: string): Promise<ReadonlySet<string>> => {
    const known = folders.get(folder) ?? listImages(folder).then((names) => new Set(names));
    folders.set(folder, known);
    return known;
  };
  return async ({ images }) => {
    for (const { file } of images)
      if (!(await namesIn(dirname(file))).has(basename(file))) return false;
    return true;
  };
}
