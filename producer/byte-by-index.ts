import { crc32 } from "node:zlib";

/** One byte for each prompt, by its index: 0 until it is set. Grows with the highest index. */
export class ByteByIndex {
  #bytes = new Uint8Array(4096);

  /** No index from here on is set. */
  get length(): number {
    return this.#bytes.length;
  }

  get(index: number): number {
    return this.#bytes[index] ?? 0;
  }

  /** A checksum of the bytes from `first` to before `end`. */
  digestBetween(first: number, end: number): string {
    return crc32(this.#bytes.subarray(first, end)).toString(16);
  }

  set(index: number, byte: number): void {
    if (index >= this.#bytes.length) {
      const larger = new Uint8Array(Math.max(index + 1, this.#bytes.length * 2));
      larger.set(this.#bytes);
      this.#bytes = larger;
    }
    this.#bytes[index] = byte;
  }
}
