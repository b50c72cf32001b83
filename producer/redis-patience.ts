import type { RedisPulse } from "../shared/redis-pulse.ts";
import type { StopReason } from "./stop.ts";

/** How long a run that ends waits for Redis: it has only to say goodbye. */
const goodbyeMs = 3_000;
/** Redis is asked twice a second: a silence that is shorter could be no silence. */
const leastLimitMs = 2_000;

/** What patience is had with, and what becomes of it. */
export interface RedisPatienceParts {
  pulse: RedisPulse;
  giveUpAfterMs: number;
  /** Whether the run ends anyway. */
  isEnding: () => boolean;
  /** Told once of a silence that gives no error of its own. */
  onSilence: (text: string) => void;
  /** Told once when Redis is given up: nothing may wait for it any more. */
  onLost: (reason: StopReason) => void;
}

/** How long a run waits for a Redis that answers nothing, whether it is away or only silent: counted from its last answer. */
export class RedisPatience {
  readonly #parts: RedisPatienceParts;
  #isLost = false;

  constructor(parts: RedisPatienceParts) {
    this.#parts = parts;
  }

  /** Whether Redis was given up. */
  get isLost(): boolean {
    return this.#isLost;
  }

  start(): void {
    this.#parts.pulse.start(this.#parts.onSilence, () => this.#look());
  }

  stop(): void {
    this.#parts.pulse.stop();
  }

  #look(): void {
    const { pulse, giveUpAfterMs, isEnding, onLost } = this.#parts;
    if (this.#isLost) return;
    const { silentMs } = pulse;
    const limitMs = Math.max(giveUpAfterMs, leastLimitMs);
    if (silentMs < (isEnding() ? Math.min(limitMs, goodbyeMs) : limitMs)) return;
    this.#isLost = true;
    const text = `queue: ${pulse.describe()} (bring it back, then run the same command again)`;
    onLost({ state: "stopped", text });
  }
}
