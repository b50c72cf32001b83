import type { LaneKeys } from "../shared/keys.ts";
import type { RedisClient } from "../shared/redis.ts";
import { entryOf } from "../shared/result-entry.ts";
import type { PromptResult } from "../shared/result.ts";
import { Together } from "./together.ts";

/** Results in one entry of the stream at most. */
const mostTogether = 100;

/** Adds results to their runs' streams, those that come together in one entry. */
export class ResultWriter {
  readonly #redis: RedisClient;
  readonly #keys: LaneKeys;
  /** Of runs with results that wait for their turn. */
  readonly #streams = new Map<string, Together<string, undefined>>();

  constructor(redis: RedisClient, keys: LaneKeys) {
    this.#redis = redis;
    this.#keys = keys;
  }

  /** Resolves once the result is in the stream. @throws what Redis refuses it with */
  async add(result: PromptResult): Promise<void> {
    const { run } = result;
    const stream = this.#streams.get(run) ?? new Together(mostTogether, this.#adderTo(run));
    this.#streams.set(run, stream);
    await stream.add(JSON.stringify(result));
  }

  #adderTo(run: string): (texts: readonly string[]) => Promise<undefined[]> {
    return async (texts) => {
      this.#streams.delete(run);
      await this.#redis.xadd(this.#keys.results(run), "*", ...entryOf(texts));
      return texts.map(() => undefined);
    };
  }
}
