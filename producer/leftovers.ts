import type { FileHandle } from "node:fs/promises";
import { parseJson } from "../shared/parse-json.ts";
import { PromptResult } from "../shared/result.ts";
import type { RunFile } from "../shared/run-file.ts";
import type { Collector } from "./collector.ts";
import { readDataset } from "./dataset/read-dataset.ts";
import type { LaneClient } from "./lane-client.ts";
import { earlierImages } from "./replay.ts";
import { promptOf } from "./prompt-rows.ts";
import type { Settled } from "./settled.ts";
import type { Window } from "./window.ts";

/** What settling leftovers works on. */
export interface LeftoverParts {
  run: RunFile;
  lane: LaneClient;
  settled: Settled;
  window: Window;
  collector: Collector;
  /** The journal, for reading. */
  journalFile: FileHandle;
  /** Results that it says no of are not settled: their prompts go again. Undefined: all are. */
  isStored?: ((result: PromptResult) => Promise<boolean>) | undefined;
}

/**
 * Settles what is in the stream, also the results of prompts that an earlier life of the producer sent. This life has
 * not read their rows yet: they are looked up in the dataset.
 */
export async function settleLeftovers(parts: LeftoverParts): Promise<void> {
  const { run, settled, window, collector, journalFile } = parts;
  const wanted = await unsettledIndexes(parts);
  const last = Math.max(-1, ...wanted);
  if (last >= 0) {
    for await (const row of readDataset(run.source)) {
      if (row.ok && wanted.has(row.index)) {
        const earlier = await earlierImages(settled, journalFile, row.index);
        window.add(promptOf(row, run, { earlier, mayExist: true }));
      }
      if (row.index >= last) break;
    }
  }
  await collector.drain();
  for (const index of wanted) window.delete(index);
}

async function unsettledIndexes({
  lane,
  run,
  settled,
  window,
  isStored,
}: LeftoverParts): Promise<Set<number>> {
  const wanted = new Set<number>();
  for (let after = "0"; ;) {
    const entries = await lane.results(after);
    if (entries.length === 0) return wanted;
    for (const { text } of entries) {
      const result = parseJson(PromptResult, text);
      const isKnown = result === undefined || settled.has(result.index) || window.get(result.index);
      if (isKnown || result.round !== run.round) continue;
      if (!isStored || (await isStored(result))) wanted.add(result.index);
    }
    after = entries.at(-1)!.id;
  }
}
