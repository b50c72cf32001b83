import type { z } from "zod";
import { ByteCursor } from "./byte-cursor.ts";
import { JOURNAL_VERSION, JournalLine } from "./journal-line.ts";
import { refuseNewer } from "./newer-version.ts";
import { PromptState, Usage } from "./result.ts";

/** What of a journal line counts: its index, its state and what it adds to the run's totals. */
const JournalHead = JournalLine.pick({
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
type JournalHead = z.infer<typeof JournalHead>;

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

/** What counts between a line's index and its time. */
type Counts = Pick<
  JournalHead,
  "round" | "state" | "numGenerations" | "newImages" | "calls" | "retries" | "throttled"
>;
/** What stands behind its attempts. */
type End = Pick<JournalHead, "usage" | "costUsd" | "mayCostUsd">;

/** Something that was read, and the bytes that say it: where the same bytes stand again, the same is read. */
interface Read<Value> {
  value: Value;
  start: number;
  stop: number;
}

/**
 * Reads the heads of the lines of a buffer: without looking at their middle where they are written as the schema orders
 * them, else by parsing all of a line. Most lines count the same as the one before, and end with the same cost: of these
 * only index and time are read.
 */
export class JournalHeadReader {
  readonly #bytes: Buffer;
  readonly #cursor: ByteCursor;
  #counts: Read<Counts> | undefined;
  #end: Read<End> | undefined;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
    this.#cursor = new ByteCursor(bytes, 0);
  }

  /**
   * Reads the head of the line between two places of the buffer, which stands at `offset` in the journal.
   * @throws NewerVersionError where a newer version wrote it
   * @throws SyntaxError or ZodError where it is not a journal line
   */
  read(start: number, stop: number, offset: number): PlacedJournalHead {
    const head = this.#read(start, stop, offset);
    if (head) return head;
    return { ...parseWhole(this.#bytes.subarray(start, stop)), offset, length: stop - start };
  }

  #read(start: number, stop: number, offset: number): PlacedJournalHead | undefined {
    const at = this.#cursor;
    at.at = start;
    const index = at.numberAfter(keys.index);
    if (index < 0) return undefined;
    const counts = this.#countsHere();
    if (!counts) return undefined;
    const settledAt = at.number();
    if (settledAt < 0 || !at.skip(comma)) return undefined;
    const end = this.#endOf(at.at, stop);
    if (!end) return undefined;
    const { round, state, numGenerations, newImages, calls, retries, throttled } = counts;
    const head: PlacedJournalHead = {
      v: JOURNAL_VERSION,
      index,
      round,
      state,
      numGenerations,
      newImages,
      calls,
      retries,
      throttled,
      settledAt,
      offset,
      length: stop - start,
    };
    const { usage, costUsd, mayCostUsd } = end;
    if (usage !== undefined) head.usage = usage;
    if (costUsd !== undefined) head.costUsd = costUsd;
    if (mayCostUsd !== undefined) head.mayCostUsd = mayCostUsd;
    return head;
  }

  /** What counts, which begins here; moves to the number of `settledAt`. */
  #countsHere(): Counts | undefined {
    const [at, known] = [this.#cursor, this.#counts];
    if (known && at.skipAgain(known.start, known.stop)) return known.value;
    const start = at.at;
    const value = readCounts(at);
    if (value) this.#counts = { value, start, stop: at.at };
    return value;
  }

  /** What stands behind the attempts of a line that goes on at `from`. */
  #endOf(from: number, stop: number): End | undefined {
    const [at, known] = [this.#cursor, this.#end];
    if (known) {
      at.at = stop - (known.stop - known.start);
      if (at.at >= from && at.skipAgain(known.start, known.stop)) return known.value;
    }
    at.at = stop;
    const value = readEnd(this.#bytes, at);
    if (value) this.#end = { value, start: at.at, stop };
    return value;
  }
}

function parseWhole(bytes: Buffer): JournalHead {
  const value: unknown = JSON.parse(bytes.toString("utf8"));
  refuseNewer("the journal", value, JOURNAL_VERSION);
  return JournalHead.parse(value);
}

function readCounts(at: ByteCursor): Counts | undefined {
  const round = at.numberAfter(keys.round);
  let numGenerations = -1;
  const found = states.find(({ key }) => (numGenerations = at.numberAfter(key)) >= 0);
  const newImages = at.numberAfter(keys.newImages);
  const calls = at.numberAfter(keys.calls);
  const retries = at.numberAfter(keys.retries);
  const throttled = at.numberAfter(keys.throttled);
  // After one that is missing none is found.
  if (!found || throttled < 0 || !at.skip(keys.settledAt)) return undefined;
  return { round, state: found.state, numGenerations, newImages, calls, retries, throttled };
}

/** What stands behind the attempts, read backwards; undefined where the line does not end as the schema orders it. */
function readEnd(bytes: Buffer, at: ByteCursor): End | undefined {
  if (!at.skipBack(closedObject)) return undefined;
  const end: End = {};
  const mayCostUsd = at.numberBackTo(keys.mayCostUsd);
  const costUsd = at.numberBackTo(keys.costUsd);
  if (bytes[at.at - 1] === CLOSED_OBJECT) {
    const stop = at.at;
    const start = bytes.lastIndexOf(OPENED_OBJECT, stop);
    at.at = start;
    if (!at.skipBack(keys.usage) || bytes.indexOf(CLOSED_OBJECT, start) !== stop - 1)
      return undefined;
    const front = at.at;
    end.usage = readUsage(bytes, at, start, stop);
    at.at = front;
  }
  if (costUsd !== undefined) end.costUsd = costUsd;
  if (mayCostUsd !== undefined) end.mayCostUsd = mayCostUsd;
  return at.skipBack(closedArray) ? end : undefined;
}

function readUsage(bytes: Buffer, at: ByteCursor, start: number, stop: number): Usage {
  at.at = start + 1;
  const usage: Usage = {};
  for (const { name, key } of tokens) {
    const count = at.numberAfter(key);
    if (count >= 0) usage[name] = count;
    if (count >= 0) at.skip(comma);
  }
  if (at.at === stop - 1) return usage;
  return Usage.parse(JSON.parse(bytes.toString("latin1", start, stop)));
}
