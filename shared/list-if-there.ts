import { readdir } from "node:fs/promises";
import { hasCode } from "./caught.ts";

/** The names in a folder; undefined where there is none. */
export async function listIfThere(folder: string): Promise<string[] | undefined> {
  try {
    return await readdir(folder);
  } catch (error) {
    if (hasCode(error, "ENOENT")) return undefined;
    throw error;
  }
}
