import { hash } from "node:crypto";
import { detached } from "./detached.ts";
import { ledgerFile } from "./ledger-file.ts";
import type { FaultName, SimulatorSettings } from "./settings.ts";

/** What is known of a call when it arrives. */
export interface CallFacts {
  api: "openai" | "huggingface";
  model: string;
  prompt: string;
  /** Images asked for. */
  n: number;
  /** What it takes of a limit on tokens: as many as its answer tells. */
  tokens: number;
  /** The seed that the client gave. */
  seed: number | null;
}

/** One call as the ledger remembers it. Times are milliseconds since 1970. */
export interface CallRecord extends CallFacts {
  /** 1 for the simulator's first call. */
  number: number;
  /** See {@link promptHash}; `prompt` is only the first 80 characters. */
  promptHash: string;
  startedAt: number;
  /** Null while it is in flight. */
  endedAt: number | null;
  /** HTTP status of the answer; 0 where none was given (hung, reset, client gone before); null while in flight. */
  status: number | null;
  fault: FaultName | null;
  /** Images that were made, whether or not the client received them. */
  images: number;
  billedUsd: number;
  /** The client had gone before its answer was sent. */
  clientGone: boolean;
}

/** Counters over all calls since the start. */
export interface LedgerSummary {
  calls: number;
  images: number;
  billUsd: number;
  inFlight: number;
  maxInFlight: number;
  /** Ended calls by HTTP status; "0" for no answer. */
  byStatus: Record<string, number>;
}

/** Calls of one prompt. */
export interface PromptCalls {
  /** The first 80 characters. */
  prompt: string;
  calls: number;
  images: number;
  billedUsd: number;
}

/** Name of a prompt in the ledger, whatever its length. */
export function promptHash(prompt: string): string {
  return hash("sha256", prompt).slice(0, 16);
}

/** What the provider would know of its calls, and would charge for. Counts all, remembers the last `keepCalls`. */
export class Ledger {
  readonly #settings: SimulatorSettings;
  readonly #file: ReturnType<typeof ledgerFile>;
  /** By number; the oldest first. */
  readonly #records = new Map<number, CallRecord>();
  readonly #byStatus: Record<string, number> = {};
  /** Number of the oldest record that is still there. */
  #oldest = 1;
  #calls = 0;
  #images = 0;
  #billUsd = 0;
  #inFlight = 0;
  #maxInFlight = 0;

  constructor(settings: SimulatorSettings) {
    this.#settings = settings;
    this.#file = ledgerFile(settings.ledgerFile);
  }

  get calls(): number {
    return this.#calls;
  }

  /** Images that were made. */
  get images(): number {
    return this.#images;
  }

  get billUsd(): number {
    return Math.round(this.#billUsd * 1e6) / 1e6;
  }

  get inFlight(): number {
    return this.#inFlight;
  }

  get maxInFlight(): number {
    return this.#maxInFlight;
  }

  /** Enters a call that has arrived. */
  start(facts: CallFacts): CallRecord {
    const record: CallRecord = {
      number: ++this.#calls,
      ...facts,
      prompt: detached(facts.prompt, 80),
      promptHash: promptHash(facts.prompt),
      startedAt: Date.now(),
      endedAt: null,
      status: null,
      fault: null,
      images: 0,
      billedUsd: 0,
      clientGone: false,
    };
    this.#records.set(record.number, record);
    while (this.#records.size > this.#settings.keepCalls) this.#records.delete(this.#oldest++);
    this.#inFlight++;
    this.#maxInFlight = Math.max(this.#maxInFlight, this.#inFlight);
    this.#file.append({ event: "started", ...record });
    return record;
  }

  /** Charges for images that were made. From here on the client pays, even if it never receives them. */
  charge(record: CallRecord, images: number, usd: number): void {
    record.images += images;
    record.billedUsd += usd;
    this.#images += images;
    this.#billUsd += usd;
  }

  /** Closes a call. Closing it again changes nothing. */
  end(record: CallRecord, status: number, clientGone = false): void {
    if (record.endedAt !== null) return;
    record.endedAt = Date.now();
    record.status = status;
    record.clientGone = clientGone;
    this.#inFlight--;
    this.#byStatus[status] = (this.#byStatus[status] ?? 0) + 1;
    this.#file.append({ event: "ended", ...record });
  }

  summary(): LedgerSummary {
    return {
      calls: this.#calls,
      images: this.#images,
      billUsd: this.billUsd,
      inFlight: this.#inFlight,
      maxInFlight: this.#maxInFlight,
      byStatus: { ...this.#byStatus },
    };
  }

  /** The remembered calls, in the order of their arrival. */
  records(): IterableIterator<CallRecord> {
    return this.#records.values();
  }

  /** The remembered calls of one prompt. */
  callsOf(prompt: string): CallRecord[] {
    const wanted = promptHash(prompt);
    return [...this.#records.values()].filter((record) => record.promptHash === wanted);
  }

  /** The remembered calls added up by prompt; the keys are {@link promptHash}. */
  callsByPrompt(): Map<string, PromptCalls> {
    const prompts = new Map<string, PromptCalls>();
    for (const { promptHash: key, prompt, images, billedUsd } of this.#records.values()) {
      const sum = prompts.get(key) ?? { prompt, calls: 0, images: 0, billedUsd: 0 };
      prompts.set(key, {
        prompt,
        calls: sum.calls + 1,
        images: sum.images + images,
        billedUsd: sum.billedUsd + billedUsd,
      });
    }
    return prompts;
  }

  /** Closes the ledger's file. */
  close(): void {
    this.#file.close();
  }
}
