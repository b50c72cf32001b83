import type { FileHandle } from "node:fs/promises";
import { type JournalEnd, readJournalHeads, readJournalLineAt } from "../shared/journal-reader.ts";
import type { ImageRecord } from "../shared/result.ts";
import type { RunFile } from "../shared/run-file.ts";
import { Settled } from "./settled.ts";

/** What a journal says when it is opened. */
export interface Replay {
  settled: Settled;
  /** Where its last whole line ends. */
  validBytes: number;
  /** Whether something torn follows. */
  torn: boolean;
}

/**
 * Replays a journal into the states and sums of its run.
 * @throws Error naming file and line where the journal is damaged
 */
export async function replayJournal(
  path: string,
  run: Pick<RunFile, "round" | "numGenerations" | "retryKinds">,
): Promise<Replay> {
  const settled = new Settled(run);
  let end = { validBytes: 0, torn: false };
  const onEnd = (found: JournalEnd) => (end = found);
  for await (const { heads, lineOf } of readJournalHeads(path, { onEnd })) {
    for (const head of heads) {
      // Kinds of failure are not in the head: few lines have any.
      const mayFail = head.state === "partial" || head.state === "failed";
      settled.add(mayFail ? lineOf(head) : head, head);
    }
  }
  return { settled, ...end };
}

/** The images that a prompt to be done again has from before, and how many more were counted but are gone. */
export interface EarlierImages {
  have: ImageRecord[];
  gone: number;
}

/** The earlier images of a prompt to be done again; undefined where it is none. */
export async function earlierImages(
  settled: Settled,
  journalFile: FileHandle,
  index: number,
): Promise<EarlierImages | undefined> {
  const place = settled.redo.get(index);
  if (!place) return undefined;
  const { images } = await readJournalLineAt(journalFile, place.offset, place.length);
  const have = images.filter(({ generation }) => !place.gone?.has(generation));
  return { have, gone: images.length - have.length };
}
