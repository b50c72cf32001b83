import type { FileHandle } from "node:fs/promises";
import type { JournalLine } from "../shared/journal-line.ts";
import type { Deaths } from "../shared/deaths.ts";
import type { RunFile } from "../shared/run-file.ts";
import { maxWindowBytes } from "./capacity.ts";
import { type DatasetRow, placeOf } from "./dataset/build-row.ts";
import { excerpt } from "./dataset/raw-record.ts";
import type { Journal } from "./journal.ts";
import { lineOfRejected } from "./journal-lines.ts";
import { promptOf, refusal, type TakenModel } from "./prompt-rows.ts";
import { earlierImages } from "./replay.ts";
import type { RowHashes } from "./row-hashes.ts";
import type { Settled } from "./settled.ts";
import type { InFlight, Window } from "./window.ts";

/** Jobs added in one round trip at most. */
const chunkSize = 500;
/** Rejected rows are made durable in batches of this many. */
const rejectedBatch = 100;

/** What a feeder works on. */
export interface FeederParts {
  run: RunFile;
  rows: AsyncIterable<DatasetRow>;
  settled: Settled;
  window: Window;
  hashes: RowHashes;
  journal: Journal;
  journalFile: FileHandle;
  /** Of processes that died with a prompt in hand, by its index. */
  deaths: ReadonlyMap<number, Deaths>;
  model: TakenModel;
  /** Resolves with how many more prompts may be sent, at least 1; rejects when the run stops. */
  room: () => Promise<number>;
  /** Adds prompts to the queue; resolves when they are there. */
  send: (prompts: readonly InFlight[]) => Promise<void>;
  /** Writes to the run directory until it works; rejects when the run stops. */
  writing: (write: () => Promise<void>) => Promise<void>;
  onRejected: (lines: readonly JournalLine[]) => void;
  /** Feeding ends with an error at the next row. */
  stopping: AbortSignal;
}

/** Streams rows into the window: settled ones are skipped, impossible ones rejected, the rest sent in chunks. */
export class Feeder {
  readonly #parts: FeederParts;
  readonly #readBefore: number;
  #chunk: InFlight[] = [];
  #rejected: JournalLine[] = [];
  #room = 0;

  constructor(parts: FeederParts) {
    this.#parts = parts;
    this.#readBefore = parts.hashes.count;
  }

  /** Resolves at the dataset's end or the run's limit with the number of rows of the run. */
  async run(): Promise<{ rows: number; ended: boolean }> {
    const { rows, run, hashes } = this.#parts;
    let count = 0;
    let ended = true;
    for await (const row of rows) {
      this.#parts.stopping.throwIfAborted();
      if (run.limit !== null && row.index >= run.limit) {
        ended = false;
        break;
      }
      count = row.index + 1;
      hashes.add(row.index, row.hash);
      if (!this.#parts.settled.has(row.index)) await this.#take(row);
    }
    await this.#flushChunk();
    await this.#flushRejected();
    await this.#parts.writing(() => hashes.flush());
    return { rows: count, ended };
  }

  async #take(row: DatasetRow): Promise<void> {
    const { run, settled, model } = this.#parts;
    const reason = row.ok ? refusal(row, run, model) : row.reason;
    if (!row.ok || reason !== undefined) {
      const raw = row.ok ? excerpt(row.prompt) : row.raw;
      this.#rejected.push(
        lineOfRejected(run, { ...placeOf(row), index: row.index, reason: reason!, raw }),
      );
      if (this.#rejected.length >= rejectedBatch) await this.#flushRejected();
      return;
    }
    const earlier = await earlierImages(settled, this.#parts.journalFile, row.index);
    const mayExist = row.index < this.#readBefore;
    const deaths = this.#parts.deaths.get(row.index);
    await this.#send(promptOf(row, run, { earlier, mayExist, deaths }));
  }

  async #send(prompt: InFlight): Promise<void> {
    const { window, room } = this.#parts;
    if (this.#chunk.length >= Math.min(this.#room, chunkSize) || window.bytes > maxWindowBytes) {
      await this.#flushChunk();
      // Rejected rows must not wait for the provider.
      await this.#flushRejected();
      this.#room = await room();
    }
    window.add(prompt);
    this.#chunk.push(prompt);
  }

  async #flushChunk(): Promise<void> {
    if (this.#chunk.length === 0) return;
    await this.#parts.writing(() => this.#parts.hashes.flush());
    const chunk = this.#chunk;
    this.#chunk = [];
    await this.#parts.send(chunk);
  }

  async #flushRejected(): Promise<void> {
    if (this.#rejected.length === 0) return;
    const lines = this.#rejected;
    this.#rejected = [];
    await this.#parts.writing(() => this.#parts.journal.append(lines));
    for (const line of lines) this.#parts.settled.add(line);
    this.#parts.onRejected(lines);
  }
}
