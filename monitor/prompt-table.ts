import type { PromptState } from "../shared/result.ts";

const states: readonly PromptState[] = ["succeeded", "partial", "failed", "rejected"];
const mostRetries = 255;

/** What is known of a settled prompt without reading its line. */
export interface PromptEntry {
  index: number;
  state: PromptState;
  /** At most 255. */
  retries: number;
  /** The round that settled it last. */
  round: number;
  /** How many images that round asked for. */
  numGenerations: number;
  /** Where its last line stands in the journal, in bytes. */
  offset: number;
  length: number;
}

/** Which prompts a list shows. `retried`: those that needed more than one attempt. */
export type PromptFilter = PromptState | "all" | "retried";

/** Where the last line of each prompt stands, and its state: 18 bytes a prompt. */
export class PromptTable {
  #states = new Uint8Array(1024);
  #retries = new Uint8Array(1024);
  #rounds = new Uint16Array(1024);
  #generations = new Uint16Array(1024);
  #lengths = new Uint32Array(1024);
  #offsets = new Float64Array(1024);
  #end = 0;
  readonly #counts: Record<PromptFilter, number> = {
    all: 0,
    retried: 0,
    succeeded: 0,
    partial: 0,
    failed: 0,
    rejected: 0,
  };

  /** Takes over a prompt's line; gives the state that an earlier line had. */
  set(entry: PromptEntry): PromptState | undefined {
    const { index } = entry;
    this.#makeRoom(index);
    const before = states[this.#states[index]! - 1];
    this.#recount(index, -1);
    this.#states[index] = states.indexOf(entry.state) + 1;
    this.#retries[index] = Math.min(mostRetries, entry.retries);
    this.#rounds[index] = entry.round;
    this.#generations[index] = entry.numGenerations;
    this.#lengths[index] = entry.length;
    this.#offsets[index] = entry.offset;
    this.#end = Math.max(this.#end, index + 1);
    this.#recount(index, 1);
    return before;
  }

  /** How many prompts pass a filter. */
  count(filter: PromptFilter): number {
    return this.#counts[filter];
  }

  #recount(index: number, step: 1 | -1): void {
    const state = states[this.#states[index]! - 1];
    if (state === undefined) return;
    this.#counts[state] += step;
    this.#counts.all += step;
    if (this.#retries[index]! > 0) this.#counts.retried += step;
  }

  get(index: number): PromptEntry | undefined {
    const state = states[(this.#states[index] ?? 0) - 1];
    if (state === undefined) return undefined;
    return {
      index,
      state,
      retries: this.#retries[index]!,
      round: this.#rounds[index]!,
      numGenerations: this.#generations[index]!,
      offset: this.#offsets[index]!,
      length: this.#lengths[index]!,
    };
  }

  /** How many sent prompts were asked for fewer images than this. */
  askedFewerThan(numGenerations: number): number {
    let count = 0;
    for (let index = 0; index < this.#end; index++) {
      const code = this.#states[index]!;
      if (code === 0 || states[code - 1] === "rejected") continue;
      if (this.#generations[index]! < numGenerations) count++;
    }
    return count;
  }

  /** The settled prompts that pass the filter, in dataset order, from `skip` on; `total` is how many pass. */
  page(
    filter: PromptFilter,
    skip: number,
    count: number,
  ): { entries: PromptEntry[]; total: number } {
    const entries: PromptEntry[] = [];
    let passed = 0;
    for (let index = 0; index < this.#end && entries.length < count; index++) {
      if (!this.#passes(index, filter)) continue;
      if (passed >= skip) entries.push(this.get(index)!);
      passed++;
    }
    return { entries, total: this.count(filter) };
  }

  #passes(index: number, filter: PromptFilter): boolean {
    const code = this.#states[index]!;
    if (code === 0) return false;
    if (filter === "all") return true;
    return filter === "retried" ? this.#retries[index]! > 0 : states[code - 1] === filter;
  }

  #makeRoom(index: number): void {
    if (index < this.#states.length) return;
    const length = Math.max(index + 1, this.#states.length * 2);
    this.#states = grown(new Uint8Array(length), this.#states);
    this.#retries = grown(new Uint8Array(length), this.#retries);
    this.#rounds = grown(new Uint16Array(length), this.#rounds);
    this.#generations = grown(new Uint16Array(length), this.#generations);
    this.#lengths = grown(new Uint32Array(length), this.#lengths);
    this.#offsets = grown(new Float64Array(length), this.#offsets);
  }
}

type Column = Uint8Array | Uint16Array | Uint32Array | Float64Array;

function grown<T extends Column>(larger: T, old: T): T {
  larger.set(old);
  return larger;
}
