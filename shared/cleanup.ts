import { messageOf } from "./caught.ts";

/**
 * What has to be ended or released, in the opposite order of its making. It is `AsyncDisposableStack`, which Node has only
 * since version 24.
 */
export class Cleanup implements AsyncDisposable {
  #steps: (() => unknown)[] = [];

  /** Has something disposed of at the end, and gives it back. */
  use<T extends AsyncDisposable>(resource: T): T {
    this.#steps.push(() => resource[Symbol.asyncDispose]());
    return resource;
  }

  /** Has something done at the end. */
  defer(step: () => unknown): void {
    this.#steps.push(step);
  }

  /** Hands everything over to a new owner: this one has nothing to do any more. */
  move(): Cleanup {
    const moved = new Cleanup();
    [moved.#steps, this.#steps] = [this.#steps, []];
    return moved;
  }

  /** Does every step, whatever comes of the others. @throws the error of the step that failed; AggregateError of several */
  async [Symbol.asyncDispose](): Promise<void> {
    const errors: unknown[] = [];
    for (let step = this.#steps.pop(); step; step = this.#steps.pop()) {
      try {
        await step();
      } catch (error) {
        errors.push(error);
      }
    }
    if (errors.length === 1) throw errors[0];
    if (errors.length > 1) throw new AggregateError(errors, errors.map(messageOf).join("; "));
  }
}
