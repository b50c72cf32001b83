import { randomUUID } from "node:crypto";
import {
  type BudgetLedger,
  type BudgetState,
  type MicroUsd,
  toMicroUsd,
} from "../shared/budget-ledger.ts";
import { priceOfCall } from "../shared/call-price.ts";
import type { Heartbeat } from "../shared/heartbeat.ts";
import { cardOfRun } from "../shared/model-registry.ts";
import type { StateAt } from "../shared/state-files.ts";
import { readBudgetFile, writeBudgetFile } from "./budget-file.ts";
import type { EngineParts } from "./engine-parts.ts";
import type { Settled } from "./settled.ts";
import type { StopReason } from "./stop.ts";

/** Calls that workers may have in flight while it is not known how many. */
const unknownCapacity = 20;
/** A prompt of this many characters stands for the run's prompts, where their length counts. */
const samplePrompt = "x".repeat(1_000);

/** What a budget works on. */
export interface BudgetParts extends Pick<EngineParts, "run" | "state" | "settled"> {
  lane: Pick<EngineParts["lane"], "budget">;
  lock: Pick<EngineParts["lock"], "check">;
}

/**
 * Keeps `--max-cost`. Workers reserve in the ledger before each call, up to a limit that this raises step by step: first
 * on the disk, then in Redis. So the disk always knows the most that can have been spent, and a ledger that was lost is
 * made anew from it, as if all of that had been spent.
 */
export class Budget {
  readonly #state: StateAt;
  readonly #settled: Settled;
  readonly #lock: BudgetParts["lock"];
  readonly #ledger: BudgetLedger;
  readonly #max: MicroUsd;
  readonly #callPrice: MicroUsd;
  #life = "";
  #allowed: MicroUsd = 0;

  constructor({ run, state, lane, settled, lock }: BudgetParts, maxCostUsd: number) {
    this.#state = state;
    this.#settled = settled;
    this.#lock = lock;
    this.#ledger = lane.budget(run.id);
    // Rounded down, since it must not be exceeded, but for what binary fractions get wrong: 0.29 is 290,000, not 289,999.
    this.#max = Math.floor(Math.round(maxCostUsd * 1e9) / 1e3);
    const images = Math.min(run.numGenerations, run.maxGenerationsPerCall);
    const call = { images, prompt: samplePrompt, parameters: run.parameters };
    this.#callPrice = toMicroUsd(priceOfCall(cardOfRun(run), call)?.atMostUsd ?? 0);
  }

  /** The budget of a run; undefined where it has none. */
  static of(parts: BudgetParts): Budget | undefined {
    const { maxCostUsd } = parts.run;
    return maxCostUsd === null ? undefined : new Budget(parts, maxCostUsd);
  }

  /** Makes the ledger ready, before the run is known to workers. */
  async open(): Promise<void> {
    const file = await readBudgetFile(this.#state);
    const state = await this.#ledger.look();
    const isKnown = state !== undefined && state.life === file?.life;
    const known = isKnown ? state.spent : (file?.allowedMicroUsd ?? 0);
    const { costUsd = 0, mayCostUsd } = this.#settled.totals;
    const spent = Math.max(known, toMicroUsd(costUsd + mayCostUsd));
    this.#life = isKnown ? state.life : randomUUID();
    await this.#open(spent);
  }

  /**
   * Looks after the ledger: makes it anew where it was lost, and lets workers spend what they need. Gives the reason to
   * stop once a call does not fit any more and no call in flight can come to less than was reserved for it.
   */
  async look(workers: readonly Heartbeat[]): Promise<StopReason | undefined> {
    const state = await this.#ledger.look();
    if (state?.life !== this.#life) {
      this.#life = randomUUID();
      await this.#open(this.#allowed);
      return undefined;
    }
    const step = this.#step(workers, state);
    const wanted = Math.min(this.#max, state.spent + step);
    const isNeeded = state.wanted !== undefined || state.limit - state.spent < step / 2;
    if (isNeeded && wanted > state.limit) await this.#raise(wanted);
    else if (state.limit >= this.#max) return this.#usedUp(state, workers);
    return undefined;
  }

  /** Leaves on the disk what was spent, and nothing in Redis. Only once nothing of the run is in flight. */
  async close(): Promise<void> {
    const state = await this.#ledger.look();
    if (state?.life === this.#life) await this.#write(state.spent);
    await this.#ledger.remove();
  }

  async #open(spent: MicroUsd): Promise<void> {
    await this.#write(spent);
    await this.#ledger.open({ life: this.#life, spent, limit: spent });
  }

  async #raise(limit: MicroUsd): Promise<void> {
    await this.#write(limit);
    await this.#ledger.raise(this.#life, limit);
  }

  async #write(allowed: MicroUsd): Promise<void> {
    await this.#lock.check();
    await writeBudgetFile(this.#state, this.#life, allowed);
    this.#allowed = allowed;
  }

  /** What workers may need until the next look: it is lost where Redis is emptied, so it is no more than that. */
  #step(workers: readonly Heartbeat[], { wanted = 0 }: BudgetState): MicroUsd {
    const capacity = workers.reduce((sum, { concurrency }) => sum + concurrency, 0);
    const calls = 2 * (capacity || unknownCapacity);
    return Math.max(1, calls * Math.max(this.#callPrice, wanted));
  }

  #usedUp(
    { spent, wanted, open }: BudgetState,
    workers: readonly Heartbeat[],
  ): StopReason | undefined {
    if (wanted === undefined || spent + wanted <= this.#max) return undefined;
    const living = new Set(workers.map(({ worker }) => worker));
    if (open.some(({ worker }) => living.has(worker))) return undefined;
    return {
      state: "stopped",
      text:
        `budget: ${show(spent)} of --max-cost ${show(this.#max)} are spent, with broken calls and prompts that are not ` +
        `finished; the next call may cost ${show(wanted)} ` +
        "(give a higher --max-cost to go on)",
    };
  }
}

function show(amount: MicroUsd): string {
  return `$${(amount / 1e6).toFixed(amount % 10_000 === 0 ? 2 : 4)}`;
}
