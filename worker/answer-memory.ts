/** Answers this small are not counted. */
const smallBytes = 65_536;
/** An answer that does not say its length is believed to be so long while none is known: 6 MB of image as base64. */
const firstExpectedBytes = 8 * 1024 * 1024;

/** What a call wants room for: the images of one call are fetched at the same time. */
interface Wanted {
  /** Of answers that say their length. */
  bytes: number;
  /** How many do not say it. */
  unknown: number;
}

/** A call that waits for room. */
interface Waiter extends Wanted {
  since: number;
  /** When it was let in. */
  until: number | undefined;
  hold: (wanted: Wanted) => void;
  room: PromiseWithResolvers<void>;
}

/** What one call takes of the memory for answers. */
export interface AnswerShare {
  /**
   * Room for so many bytes of an answer that is about to be read, 0 where it does not say how many: undefined where there is
   * room now, else a promise that resolves when there is. A call that has bytes already never waits, and all answers of one
   * call are let in together: calls that each have some of their bytes could wait for ever for each other.
   */
  take(bytes: number): Promise<void> | undefined;
  /** An answer that did not say its length was so long. */
  cameTo(bytes: number): void;
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
  #expectedBytes = firstExpectedBytes;
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
    let expected = 0;
    let waiter: Waiter | undefined;
    const grow = (bytes: number) => {
      held += bytes;
      this.#usedBytes += bytes;
    };
    const hold = (wanted: Wanted) => {
      expected = this.#expectedBytes;
      grow(this.#bytesOf(wanted));
    };
    return {
      take: (announced) => {
        if (announced >= smallBytes) this.#learn(announced);
        const wanted = { bytes: announced, unknown: announced === 0 ? 1 : 0 };
        expected = 0;
        if (this.#bytesOf(wanted) < smallBytes) return undefined;
        if (waiter && held === 0) {
          waiter.bytes += wanted.bytes;
          waiter.unknown += wanted.unknown;
          return waiter.room.promise;
        }
        if (held > 0 || (this.#waiting.length === 0 && this.#hasRoom(wanted))) {
          hold(wanted);
          return undefined;
        }
        const room = Promise.withResolvers<void>();
        waiter = { ...wanted, since: performance.now(), until: undefined, hold, room };
        this.#waiting.push(waiter);
        return room.promise;
      },
      cameTo: (bytes) => {
        this.#learn(bytes);
        grow(Math.max(0, bytes - expected));
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
  #learn(bytes: number): void {
    this.#expectedBytes = Math.max(bytes, this.#expectedBytes * 0.99);
  }

  #bytesOf({ bytes, unknown }: Wanted): number {
    return bytes + unknown * this.#expectedBytes;
  }

  #hasRoom(wanted: Wanted): boolean {
    return this.#usedBytes === 0 || this.#usedBytes + this.#bytesOf(wanted) <= this.#maxBytes;
  }

  #letIn(): void {
    for (let next = this.#waiting[0]; next && this.#hasRoom(next); next = this.#waiting[0]) {
      this.#waiting.shift();
      next.until = performance.now();
      next.hold(next);
      next.room.resolve();
    }
  }
}
