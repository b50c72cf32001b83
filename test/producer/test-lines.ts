import { mkdirSync } from "node:fs";
import { statePaths } from "../../producer/run-directory.ts";
import type { FailureKind } from "../../shared/failure.ts";
import type { JournalLine } from "../../shared/journal-line.ts";
import type { PromptState } from "../../shared/result.ts";
import { temporaryFolder } from "../helpers/temporary-folder.ts";

/** What of a journal line a test says; the rest follows from it. */
export interface LineFacts {
  index: number;
  round?: number;
  state?: PromptState;
  numGenerations?: number;
  images?: number;
  kinds?: readonly FailureKind[];
}

/** A journal line. */
export function journalLine({
  index,
  round = 0,
  state = "succeeded",
  numGenerations = 1,
  images = state === "succeeded" ? numGenerations : 0,
  kinds = [],
}: LineFacts): JournalLine {
  const rejected = { row: index + 1, reason: "expected JSON" };
  return {
    v: 1,
    index,
    round,
    state,
    numGenerations,
    newImages: images,
    calls: images + kinds.length,
    retries: kinds.length,
    throttled: index % 3,
    settledAt: 1_790_000_000_000 + index,
    ...(state === "rejected"
      ? { rejected }
      : { row: { prompt: `prompt ${index} ✓`, columns: {} } }),
    images: Array.from({ length: images }, (_, generation) => ({
      generation,
      file: `images/00000/0000000${index}-${generation}.png`,
      width: 1,
      height: 1,
      bytes: 1,
      sha256: "",
    })),
    failures: kinds.map((kind) => ({ generations: [0], kind, message: "no" })),
    attempts: [],
    ...(images > 0 && { usage: { outputTokens: 10 * images }, costUsd: 0.25 * images }),
  };
}

/** A run directory with only a state folder, and the paths in it. */
export function stateFolderPaths(): ReturnType<typeof statePaths> & { directory: string } {
  const directory = temporaryFolder();
  const paths = statePaths(directory);
  mkdirSync(paths.state);
  return { directory, ...paths };
}
