import type { LaneKeys } from "../shared/keys.ts";
import type { RedisClient } from "../shared/redis.ts";
import { entryOf } from "../shared/result-entry.ts";
import type { PromptResult } from "../shared/result.ts";

/** Results in one entry of the stream at most. */
const mostTogether = 100;

interface Waiting {
  text: string;
  resolve: () => void;
  reject: (error: unknown) => void;
}

/**
 * Adds results to their runs' streams. Those that come while an entry is on its way go together into the next one: fast
 * calls cost one command for many, slow ones never wait.
 */
export class ResultWriter {
  readonly #redis: RedisClient;
  readonly #keys: LaneKeys;
  readonly #waiting = new Map<string, Waiting[]>();
  readonly #writing = new Set<string>();

  constructor(redis: RedisClient, keys: LaneKeys) {
    this.#redis = redis;
    this.#keys = keys;
  }

  /** Resolves once the result is in the stream. @throws what Redis refuses it with */
  async add(result: PromptResult): Promise<void> {
    const text = JSON.stringify(result);
    const added = Promise.withResolvers<void>();
    const waiting = this.#waiting.get(result.run) ?? [];
    this.#waiting.set(result.run, waiting);
    waiting.push({ text, resolve: added.resolve, reject: added.reject });
    if (!this.#writing.has(result.run)) void this.#write(result.run);
    await added.promise;
  }

  /** Writes what waits for the run, until nothing does. */
  async #write(run: string): Promise<void> {
    this.#writing.add(run);
    for (;;) {
      const together = this.#waiting.get(run)?.splice(0, mostTogether) ?? [];
      if (together.length === 0) break;
      try {
        const entry = entryOf(together.map(({ text }) => text));
        await this.#redis.xadd(this.#keys.results(run), "*", ...entry);
        for (const { resolve } of together) resolve();
      } catch (error) {
        for (const { reject } of together) reject(error);
      }
    }
    this.#waiting.delete(run);
    this.#writing.delete(run);
  }
}
