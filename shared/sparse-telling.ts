/** How something of a kind is told. */
export interface Telling {
  /** Tells one of them with all that is known of it. */
  full(): void;
  /** Tells how many more came; called for the last of them. */
  count(times: number): void;
}

/** A burst of one kind: it ends with an interval in which none came. */
interface Burst {
  told: number;
  untold: number;
  last: Telling;
  timer: NodeJS.Timeout;
}

/** What bounds {@link SparseTelling}. */
export interface SparseTellingOptions {
  /** So many of a burst are told in full. Default 1. */
  inFull?: number;
  /** The rest is told as one count at most that often. Default 10 s. */
  intervalMs?: number;
  /** What is of yet another kind meanwhile counts as of its `wider` one. Default: no limit. */
  mostKinds?: number;
}

/** Tells of what may happen by the thousand: of each kind the first ones in full, the rest as a count once in a while. */
export class SparseTelling {
  readonly #inFull: number;
  readonly #intervalMs: number;
  readonly #mostKinds: number;
  readonly #bursts = new Map<string, Burst>();

  constructor({
    inFull = 1,
    intervalMs = 10_000,
    mostKinds = Infinity,
  }: SparseTellingOptions = {}) {
    this.#inFull = inFull;
    this.#mostKinds = mostKinds;
    this.#intervalMs = intervalMs;
  }

  /** `wider`: the kind that it counts as where there are too many. */
  tell(alike: string, telling: Telling, wider = alike): void {
    const kind = this.#bursts.has(alike) || this.#bursts.size < this.#mostKinds ? alike : wider;
    const burst = this.#bursts.get(kind) ?? this.#begin(kind, telling);
    burst.last = telling;
    if (burst.told < this.#inFull) {
      burst.told += 1;
      telling.full();
    } else burst.untold += 1;
  }

  /** Tells what was only counted so far. */
  close(): void {
    for (const [kind, burst] of this.#bursts) {
      if (burst.untold > 0) burst.last.count(burst.untold);
      this.#end(kind, burst);
    }
  }

  #begin(kind: string, last: Telling): Burst {
    const timer = setInterval(() => this.#tellRest(kind), this.#intervalMs).unref();
    const burst = { told: 0, untold: 0, last, timer };
    this.#bursts.set(kind, burst);
    return burst;
  }

  #tellRest(kind: string): void {
    const burst = this.#bursts.get(kind)!;
    if (burst.untold > 0) burst.last.count(burst.untold);
    else this.#end(kind, burst);
    burst.untold = 0;
  }

  #end(kind: string, { timer }: Burst): void {
    clearInterval(timer);
    this.#bursts.delete(kind);
  }
}
