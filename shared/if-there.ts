import { hasCode } from "./caught.ts";

/** What looking at a file or a folder gives; undefined where it does not exist. */
export async function ifThere<Found>(looking: Promise<Found>): Promise<Found | undefined> {
  try {
    return await looking;
  } catch (error) {
    if (hasCode(error, "ENOENT")) return undefined;
    throw error;
  }
}
