import type { Log } from "../shared/log.ts";
import { refuseNewer } from "../shared/newer-version.ts";
import { jsonOf } from "../shared/parse-json.ts";
import { PromptResult, RESULT_VERSION } from "../shared/result.ts";
import type { JournalLine } from "../shared/journal-line.ts";
import type { Journal } from "./journal.ts";
import { lineOfResult } from "./journal-lines.ts";
import type { LaneClient, StreamEntry } from "./lane-client.ts";
import type { Settled } from "./settled.ts";
import type { Window } from "./window.ts";

/** What a collector works on. */
export interface CollectorParts {
  run: string;
  round: number;
  lane: LaneClient;
  journal: Journal;
  settled: Settled;
  window: Window;
  log: Log;
  /** Told of each batch once it is durable. */
  onSettled: (lines: readonly JournalLine[]) => void;
}

/** Takes results from the stream into the journal: first durable, then forgotten in Redis. */
export class Collector {
  readonly #parts: CollectorParts;
  /** One batch at a time: the reconciler collects too. */
  #turn: Promise<unknown> = Promise.resolve();

  constructor(parts: CollectorParts) {
    this.#parts = parts;
  }

  /** Waits up to `blockMs` for results and settles those there are. Gives how many entries were read. */
  async collect(blockMs?: number): Promise<number> {
    // Waiting happens outside of the turn, so that nobody who wants it has to wait as long.
    const waited = blockMs === undefined ? undefined : await this.#parts.lane.results("0", blockMs);
    if (waited?.length === 0) return 0;
    const turn = this.#turn.then(() => this.#collectBatch(waited));
    this.#turn = turn.catch(() => undefined);
    return await turn;
  }

  /** Settles everything that is in the stream now. */
  async drain(): Promise<void> {
    while ((await this.collect()) > 0);
  }

  async #collectBatch(read: readonly StreamEntry[] | undefined): Promise<number> {
    const { lane } = this.#parts;
    const entries = read ?? (await lane.results("0"));
    if (entries.length === 0) return 0;
    await this.#settle(entries);
    await lane.trimResults(entries.at(-1)!.id);
    return entries.length;
  }

  async #settle(entries: readonly StreamEntry[]): Promise<void> {
    const { run, round, journal, settled, window, onSettled } = this.#parts;
    const lines = new Map<number, JournalLine>();
    for (const { text } of entries) {
      const value = jsonOf(text);
      // Kept in Redis for a producer that can read it: the run stops.
      refuseNewer(`a result of run ${run}`, value, RESULT_VERSION);
      const { data: result } = PromptResult.safeParse(value);
      if (!result) {
        // Damaged: the reconciler sees that the job is gone, and the prompt is sent again.
        this.#parts.log.error({ run, start: text.slice(0, 200) }, "a result cannot be read");
        continue;
      }
      const prompt = window.get(result.index);
      const isOurs = result.run === run && result.round === round && prompt !== undefined;
      if (!isOurs || settled.has(result.index) || lines.has(result.index)) continue;
      if (result.numGenerations < prompt.job.numGenerations) continue;
      lines.set(result.index, lineOfResult(result, prompt.row, prompt.job.have ?? [], prompt.gone));
    }
    await journal.append([...lines.values()]);
    for (const line of lines.values()) {
      settled.add(line);
      window.delete(line.index);
    }
    onSettled([...lines.values()]);
  }
}
