import { setTimeout as delay } from "node:timers/promises";
import type { LaneKeys } from "../shared/keys.ts";
import type { RedisClient } from "../shared/redis.ts";
import { hasNoRoom } from "../shared/queue-error.ts";
import { entryOf } from "../shared/result-entry.ts";
import type { PromptResult } from "../shared/result.ts";
import { Together } from "./together.ts";

/** Results in one entry of the stream at most. */
const mostTogether = 100;
/** Time between two tries at a Redis that has no room. */
const againMs = 500;

/** Adds results to their runs' streams, those that come together in one entry. */
export class ResultWriter {
  readonly #redis: RedisClient;
  readonly #keys: LaneKeys;
  readonly #abandoned: AbortSignal | undefined;
  /** Of runs with results that wait for their turn. */
  readonly #streams = new Map<string, Together<string, undefined>>();

  /** `abandoned` is aborted when results that Redis has no room for are given up. */
  constructor(redis: RedisClient, keys: LaneKeys, abandoned?: AbortSignal) {
    this.#redis = redis;
    this.#keys = keys;
    this.#abandoned = abandoned;
  }

  /**
   * Resolves once the result is in the stream. While Redis has no room for it, it is kept: the images would be found in storage
   * by the next try of the job, but not what their calls were and cost. @throws what else Redis refuses it with
   */
  async add(result: PromptResult): Promise<void> {
    const text = JSON.stringify(result);
    for (;;) {
      try {
        await this.#addOnce(result.run, text);
        return;
      } catch (error) {
        if (!hasNoRoom(error) || this.#abandoned?.aborted) throw error;
        await delay(againMs, undefined, { signal: this.#abandoned }).catch(() => undefined);
      }
    }
  }

  async #addOnce(run: string, text: string): Promise<void> {
    const stream = this.#streams.get(run) ?? new Together(mostTogether, this.#adderTo(run));
    this.#streams.set(run, stream);
    await stream.add(text);
  }

  #adderTo(run: string): (texts: readonly string[]) => Promise<undefined[]> {
    return async (texts) => {
      this.#streams.delete(run);
      await this.#redis.xadd(this.#keys.results(run), "*", ...entryOf(texts));
      return texts.map(() => undefined);
    };
  }
}
