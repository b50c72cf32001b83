/** Answers this small are not counted. */
const smallBytes = 65_536;

/** A call that waits for room. */
interface Waiter {
  /** For all its answers: the images of one call are fetched at the same time. */
  bytes: number;
  since: number;
  /** When it was let in. */
  until: number | undefined;
  hold: (bytes: number) => void;
  room: PromiseWithResolvers<void>;
}

/** What one call takes of the memory for answers. */
export interface AnswerShare {
  /**
   * Room for so many bytes of an answer that is about to be read: undefined where there is room now, else a promise that
   * resolves when there is. A call that has bytes already never waits, and all answers of one call are let in together:
   * calls that each have some of their bytes could wait for ever for each other.
   */
  take(bytes: number): Promise<void> | undefined;
  /** How long the call has waited for room so far, in milliseconds: no fault of the provider's. */
  readonly heldUpMs: number;
  /** The call needs its bytes no longer. */
  release(): void;
}

/**
 * Bounds the bytes of answers that a process has in memory, from the first byte read to the stored image. The provider is
 * not read from while there is no room, so that calls in flight, which take no memory, need no bound for the sake of it.
 */
export class AnswerMemory {
  readonly #maxBytes: number;
  #usedBytes = 0;
  #expectedBytes = smallBytes;
  #waiting: Waiter[] = [];

  /** @param maxBytes one answer is let in however large it is. Default 128 MB */
  constructor(maxBytes = 128 * 1024 * 1024) {
    this.#maxBytes = maxBytes;
  }

  /** Bytes that are taken now. */
  get usedBytes(): number {
    return this.#usedBytes;
  }

  /** A share for one call. */
  open(): AnswerShare {
    let held = 0;
    let waiter: Waiter | undefined;
    const hold = (bytes: number) => {
      held += bytes;
      this.#usedBytes += bytes;
    };
    return {
      take: (announced) => {
        const bytes = this.#expect(announced);
        if (bytes < smallBytes) return undefined;
        if (waiter && held === 0) {
          waiter.bytes += bytes;
          return waiter.room.promise;
        }
        if (held > 0 || (this.#waiting.length === 0 && this.#hasRoom(bytes))) {
          hold(bytes);
          return undefined;
        }
        const room = Promise.withResolvers<void>();
        waiter = { bytes, since: performance.now(), until: undefined, hold, room };
        this.#waiting.push(waiter);
        return room.promise;
      },
      get heldUpMs() {
        return waiter ? (waiter.until ?? performance.now()) - waiter.since : 0;
      },
      release: () => {
        this.#waiting = this.#waiting.filter((other) => other !== waiter);
        waiter = undefined;
        this.#usedBytes -= held;
        held = 0;
        this.#letIn();
      },
    };
  }

  /** An answer that does not say how long it is is believed to be as long as those before. */
  #expect(announced: number): number {
    if (announced === 0) return this.#expectedBytes;
    if (announced >= smallBytes)
      this.#expectedBytes = Math.max(announced, this.#expectedBytes * 0.99);
    return announced;
  }

  #hasRoom(bytes: number): boolean {
    return this.#usedBytes === 0 || this.#usedBytes + bytes <= this.#maxBytes;
  }

  #letIn(): void {
    for (let next = this.#waiting[0]; next && this.#hasRoom(next.bytes); next = this.#waiting[0]) {
      this.#waiting.shift();
      next.until = performance.now();
      next.hold(next.bytes);
      next.room.resolve();
    }
  }
}
