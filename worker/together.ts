interface Waiting<Item, Result> {
  item: Item;
  resolve: (result: Result) => void;
  reject: (error: unknown) => void;
}

/** Does one piece of work for all items that come in one turn of the event loop, so that they share a round trip. */
export class Together<Item, Result> {
  readonly #most: number;
  readonly #work: (items: readonly Item[]) => Promise<readonly Result[]>;
  #waiting: Waiting<Item, Result>[] = [];

  /**
   * @param most items at a time
   * @param work gives a result for each item, in their order
   */
  constructor(most: number, work: (items: readonly Item[]) => Promise<readonly Result[]>) {
    this.#most = most;
    this.#work = work;
  }

  /** Resolves with what came of the item. @throws what the work throws that was done for it */
  async add(item: Item): Promise<Result> {
    const { promise, resolve, reject } = Promise.withResolvers<Result>();
    this.#waiting.push({ item, resolve, reject });
    if (this.#waiting.length === 1) setImmediate(() => this.#begin());
    return await promise;
  }

  #begin(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    while (waiting.length > 0) void this.#workOn(waiting.splice(0, this.#most));
  }

  async #workOn(together: readonly Waiting<Item, Result>[]): Promise<void> {
    try {
      const results = await this.#work(together.map(({ item }) => item));
      together.forEach(({ resolve }, i) => resolve(results[i]!));
    } catch (error) {
      for (const { reject } of together) reject(error);
    }
  }
}
