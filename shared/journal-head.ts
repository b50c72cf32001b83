import type { z } from "zod";
import { JOURNAL_VERSION, JournalLine } from "./journal-line.ts";
import { refuseNewer } from "./newer-version.ts";
import { PromptState, Usage } from "./result.ts";

/** What of a journal line counts: its index, its state and what it adds to the run's totals. */
export const JournalHead = JournalLine.pick({
  v: true,
  index: true,
  round: true,
  state: true,
  numGenerations: true,
  newImages: true,
  calls: true,
  retries: true,
  throttled: true,
  settledAt: true,
  usage: true,
  costUsd: true,
  mayCostUsd: true,
});
export type JournalHead = z.infer<typeof JournalHead>;

// JSON writes a quote inside text as \", so these cannot match inside a prompt or a message.
const start =
  /^\{"v":1,"index":(\d+),"round":(\d+),"state":"([a-z]+)","numGenerations":(\d+),"newImages":(\d+),"calls":(\d+),"retries":(\d+),"throttled":(\d+),"settledAt":(\d+),/;
const end =
  /\](?:,"usage":(\{[^{}]*\}))?(?:,"costUsd":([-+.\deE]+))?(?:,"mayCostUsd":([-+.\deE]+))?\}$/;
const START_BYTES = 320;
const END_BYTES = 320;

function parseWhole(bytes: Buffer): JournalHead {
  const value: unknown = JSON.parse(bytes.toString("utf8"));
  refuseNewer("the journal", value, JOURNAL_VERSION);
  return JournalHead.parse(value);
}

/**
 * Reads the head of a journal line without parsing the rest where the line is written as the schema orders it, else by
 * parsing it all.
 * @throws NewerVersionError where a newer version wrote it
 * @throws SyntaxError or ZodError where it is not a journal line
 */
export function parseJournalHead(
  bytes: Buffer,
  offset: number,
): JournalHead & { offset: number; length: number } {
  const { length } = bytes;
  const first = start.exec(bytes.toString("latin1", 0, Math.min(START_BYTES, length)));
  const last = end.exec(bytes.toString("latin1", Math.max(0, length - END_BYTES), length));
  const state = PromptState.options.find((option) => option === first?.[3]);
  if (!first || !last || !state) return { ...parseWhole(bytes), offset, length };
  return {
    v: JOURNAL_VERSION,
    index: Number(first[1]),
    round: Number(first[2]),
    state,
    numGenerations: Number(first[4]),
    newImages: Number(first[5]),
    calls: Number(first[6]),
    retries: Number(first[7]),
    throttled: Number(first[8]),
    settledAt: Number(first[9]),
    ...(last[1] !== undefined && { usage: Usage.parse(JSON.parse(last[1])) }),
    ...(last[2] !== undefined && { costUsd: Number(last[2]) }),
    ...(last[3] !== undefined && { mayCostUsd: Number(last[3]) }),
    offset,
    length,
  };
}
