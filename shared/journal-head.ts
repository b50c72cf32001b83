import type { z } from "zod";
import { ByteCursor } from "./byte-cursor.ts";
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

/** The head of a line and the bytes where the line stands in the journal; `length` is without the line feed. */
export type PlacedJournalHead = JournalHead & { offset: number; length: number };

const ascii = (text: string): Buffer => Buffer.from(text, "latin1");
// JSON writes a quote inside text as \", so none of these stands inside a prompt or a message.
const keys = {
  index: ascii(`{"v":${JOURNAL_VERSION},"index":`),
  round: ascii(',"round":'),
  newImages: ascii(',"newImages":'),
  calls: ascii(',"calls":'),
  retries: ascii(',"retries":'),
  throttled: ascii(',"throttled":'),
  settledAt: ascii(',"settledAt":'),
  usage: ascii(',"usage":'),
  costUsd: ascii(',"costUsd":'),
  mayCostUsd: ascii(',"mayCostUsd":'),
};
/** A state and the key that follows it. */
const states = PromptState.options.map((state) => ({
  state,
  key: ascii(`,"state":"${state}","numGenerations":`),
}));
const tokens = (["inputTokens", "outputTokens", "totalTokens"] as const).map((name) => ({
  name,
  key: ascii(`"${name}":`),
}));
const [closedArray, closedObject, comma] = [ascii("]"), ascii("}"), ascii(",")];
const OPENED_OBJECT = 0x7b;
const CLOSED_OBJECT = 0x7d;

/**
 * Reads the head of the journal line between two places of a buffer, which stands at `offset` in the journal: without
 * looking at its middle where the line is written as the schema orders it, else by parsing it all.
 * @throws NewerVersionError where a newer version wrote it
 * @throws SyntaxError or ZodError where it is not a journal line
 */
export function parseJournalHead(
  bytes: Buffer,
  start: number,
  stop: number,
  offset: number,
): PlacedJournalHead {
  const head = headOf(bytes, start, stop, offset);
  return head ?? { ...parseWhole(bytes.subarray(start, stop)), offset, length: stop - start };
}

function parseWhole(bytes: Buffer): JournalHead {
  const value: unknown = JSON.parse(bytes.toString("utf8"));
  refuseNewer("the journal", value, JOURNAL_VERSION);
  return JournalHead.parse(value);
}

function headOf(
  bytes: Buffer,
  start: number,
  stop: number,
  offset: number,
): PlacedJournalHead | undefined {
  const at = new ByteCursor(bytes, start);
  const index = at.numberAfter(keys.index);
  const round = at.numberAfter(keys.round);
  let numGenerations = -1;
  const found = states.find(({ key }) => (numGenerations = at.numberAfter(key)) >= 0);
  const newImages = at.numberAfter(keys.newImages);
  const calls = at.numberAfter(keys.calls);
  const retries = at.numberAfter(keys.retries);
  const throttled = at.numberAfter(keys.throttled);
  // After one that is missing none is found.
  const settledAt = at.numberAfter(keys.settledAt);
  if (!found || settledAt < 0 || !at.skip(comma)) return undefined;
  const head: PlacedJournalHead = {
    v: JOURNAL_VERSION,
    index,
    round,
    state: found.state,
    numGenerations,
    newImages,
    calls,
    retries,
    throttled,
    settledAt,
    offset,
    length: stop - start,
  };
  at.at = stop;
  return addEnd(head, bytes, at) ? head : undefined;
}

/** Adds what stands behind the attempts. False where the line does not end as the schema orders it. */
function addEnd(head: JournalHead, bytes: Buffer, at: ByteCursor): boolean {
  if (!at.skipBack(closedObject)) return false;
  const mayCostUsd = at.numberBackTo(keys.mayCostUsd);
  const costUsd = at.numberBackTo(keys.costUsd);
  if (bytes[at.at - 1] === CLOSED_OBJECT) {
    const stop = at.at;
    const start = bytes.lastIndexOf(OPENED_OBJECT, stop);
    at.at = start;
    if (!at.skipBack(keys.usage) || bytes.indexOf(CLOSED_OBJECT, start) !== stop - 1) return false;
    head.usage = usageAt(bytes, start, stop);
  }
  if (costUsd !== undefined) head.costUsd = costUsd;
  if (mayCostUsd !== undefined) head.mayCostUsd = mayCostUsd;
  return at.skipBack(closedArray);
}

function usageAt(bytes: Buffer, start: number, stop: number): Usage {
  const at = new ByteCursor(bytes, start + 1);
  const usage: Usage = {};
  for (const { name, key } of tokens) {
    const count = at.numberAfter(key);
    if (count >= 0) usage[name] = count;
    if (count >= 0) at.skip(comma);
  }
  if (at.at === stop - 1) return usage;
  return Usage.parse(JSON.parse(bytes.toString("latin1", start, stop)));
}
