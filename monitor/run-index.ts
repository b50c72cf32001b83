import type { JournalLine } from "../shared/journal-line.ts";
import { type PlacedJournalLine, readJournal } from "../shared/journal-reader.ts";
import { addLine, type LineSums, noSums } from "../shared/line-sums.ts";
import type { PromptState } from "../shared/result.ts";
import type { RunFile } from "../shared/run-file.ts";
import { DurationHistogram } from "./duration-histogram.ts";
import { ProblemGroups } from "./problem-groups.ts";
import { type PromptEntry, PromptTable } from "./prompt-table.ts";
import { TimeSeries } from "./time-series.ts";

/** Sums over a journal: of prompts the last line of each counts, of all else every line. */
export interface RunTotals extends LineSums {
  prompts: Record<PromptState, number>;
}

/** What a list of runs needs of a journal that was read to its end: it stays when the index is dropped. */
export interface JournalSums {
  totals: RunTotals;
  /** Prompts that have a line but are to be done again. */
  toDoAgain: number;
  /** When a prompt was last settled, in milliseconds since 1970. */
  lastSettledAt: number | undefined;
}

/** Where the time of calls goes. `provider` counts answered calls, the others every attempt that tells of it. */
export const latencyParts = ["waiting", "limiter", "provider", "storing"] as const;
export type LatencyPart = (typeof latencyParts)[number];

const mostRecent = 480;

/** What a page needs of a run's journal, kept up to date by reading only what was appended. */
export class RunIndex {
  readonly prompts = new PromptTable();
  readonly problems = new ProblemGroups();
  readonly series: TimeSeries;
  readonly latency: Record<LatencyPart, DurationHistogram> = {
    waiting: new DurationHistogram(),
    limiter: new DurationHistogram(),
    provider: new DurationHistogram(),
    storing: new DurationHistogram(),
  };
  readonly totals: RunTotals = {
    prompts: { succeeded: 0, partial: 0, failed: 0, rejected: 0 },
    ...noSums(),
  };
  #bytes = 0;
  #lastSettledAt: number | undefined;
  #recent: number[] = [];
  #fewestAsked = Infinity;

  /** `startMs`: when the run was created. */
  constructor(startMs: number) {
    this.series = new TimeSeries(startMs);
  }

  /** Bytes of the journal that are in the index. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Prompts that have a line. */
  get settled(): number {
    const { succeeded, partial, failed, rejected } = this.totals.prompts;
    return succeeded + partial + failed + rejected;
  }

  /** What is to be known of it once it is dropped. */
  sums(file: RunFile): JournalSums {
    const { totals, lastSettledAt } = this;
    return { totals, toDoAgain: this.toDoAgain(file), lastSettledAt };
  }

  /** Prompts that have a line but are to be done again: a later round asks for that, or for more images. */
  toDoAgain({ round, retryKinds, numGenerations }: RunFile): number {
    if (this.#fewestAsked < numGenerations) return this.prompts.askedFewerThan(numGenerations);
    if (round === 0) return 0;
    return this.problems.count(
      (index, kinds) =>
        this.prompts.get(index)!.round < round &&
        kinds.some((kind) => kind !== "rejected" && (retryKinds?.includes(kind) ?? true)),
    );
  }

  /** When a prompt was last settled, in milliseconds since 1970. */
  get lastSettledAt(): number | undefined {
    return this.#lastSettledAt;
  }

  /**
   * Reads what was appended to the journal since the last time.
   * @throws Error where the journal is damaged; what comes after the damage is not read
   */
  async readOn(path: string): Promise<void> {
    let end = this.#bytes;
    const lines = readJournal(path, {
      from: this.#bytes,
      onEnd: ({ validBytes }) => (end = validBytes),
    });
    for await (const placed of lines) {
      this.add(placed);
      this.#bytes = placed.offset + placed.length + 1;
    }
    this.#bytes = end;
  }

  /** The prompts that were settled last, the newest first; only some hundreds are known in this order. */
  latest(skip: number, count: number): { entries: PromptEntry[]; total: number } {
    const indexes = [...new Set(this.#recent.slice(-mostRecent).toReversed())];
    const entries = indexes.slice(skip, skip + count).map((index) => this.prompts.get(index)!);
    return { entries, total: indexes.length };
  }

  /** Takes over one line. */
  add({ line, offset, length }: PlacedJournalLine): void {
    const { index, state, retries, round, numGenerations, settledAt } = line;
    const before = this.prompts.set({
      index,
      state,
      retries,
      round,
      numGenerations,
      offset,
      length,
    });
    this.#fewestAsked = Math.min(this.#fewestAsked, numGenerations);
    this.#recent.push(index);
    if (this.#recent.length > 2 * mostRecent) this.#recent = this.#recent.slice(-mostRecent);
    const { totals, series } = this;
    if (before) totals.prompts[before] -= 1;
    totals.prompts[state] += 1;
    addLine(totals, line);
    series.add("settled", settledAt, 1);
    this.#lastSettledAt = Math.max(this.#lastSettledAt ?? 0, settledAt);
    this.#addAttempts(line);
    this.problems.add(line);
  }

  #addAttempts({ attempts }: JournalLine): void {
    const { series, latency } = this;
    for (const attempt of attempts) {
      const { outcome, burned, startedAt, endedAt, queuedMs, limiterMs, storingMs } = attempt;
      if (attempt.sent) series.addSpan("callMs", startedAt, endedAt);
      if (outcome === "rate_limited") series.add("throttled", endedAt, 1);
      else if (outcome !== "ok" && burned) series.add("retries", endedAt, 1);
      if (queuedMs !== undefined) latency.waiting.add(queuedMs);
      if (limiterMs !== undefined) latency.limiter.add(limiterMs);
      if (outcome !== "ok") continue;
      series.add("images", endedAt, attempt.generations.length);
      latency.provider.add(endedAt - startedAt - (storingMs ?? 0));
      if (storingMs !== undefined) latency.storing.add(storingMs);
    }
  }
}
