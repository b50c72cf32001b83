/** The bytes of an answer, in the pieces in which they arrived: a large one is read without being put together first. */
export class AnswerBytes {
  #pieces: readonly Buffer[];
  /** Where each piece begins. */
  #starts: readonly number[];
  readonly length: number;

  constructor(pieces: readonly Buffer[]) {
    let length = 0;
    const starts = pieces.map((piece) => {
      const start = length;
      length += piece.length;
      return start;
    });
    this.#pieces = pieces;
    this.#starts = starts;
    this.length = length;
  }

  /** All of them as one piece, which takes the place of the others. */
  get whole(): Buffer {
    const [first] = this.#pieces;
    if (first && this.#pieces.length === 1) return first;
    const whole = Buffer.concat(this.#pieces, this.length);
    this.#pieces = [whole];
    this.#starts = [0];
    return whole;
  }

  /** As text in UTF-8, from `from` to before `to`. */
  text(from = 0, to: number = this.length): string {
    const parts = [...this.between(from, to)];
    // A character may lie across two pieces.
    return (parts.length === 1 ? parts[0]! : Buffer.concat(parts)).toString("utf8");
  }

  /** The bytes from `from` to before `to`, piece by piece and without a copy. */
  *between(from: number, to: number): Generator<Buffer> {
    for (let i = this.#pieceAt(from); i < this.#pieces.length; i++) {
      const start = this.#starts[i]!;
      if (start >= to) return;
      yield this.#pieces[i]!.subarray(Math.max(0, from - start), to - start);
    }
  }

  /** Where these bytes stand next, from `from` on; -1 where they do not. */
  indexOf(wanted: Buffer, from: number): number {
    const overlap = wanted.length - 1;
    for (let i = this.#pieceAt(from); i < this.#pieces.length; i++) {
      const start = this.#starts[i]!;
      const piece = this.#pieces[i]!;
      const found = piece.indexOf(wanted, Math.max(0, from - start));
      if (found !== -1) return start + found;
      const seam = Math.max(from, start + piece.length - overlap);
      const across = Buffer.concat([...this.between(seam, start + piece.length + overlap)]);
      const foundAcross = overlap > 0 ? across.indexOf(wanted) : -1;
      if (foundAcross !== -1) return seam + foundAcross;
    }
    return -1;
  }

  /** The piece that holds the byte at `at`. */
  #pieceAt(at: number): number {
    let low = 0;
    let high = this.#starts.length;
    while (high - low > 1) {
      const middle = (low + high) >> 1;
      if (this.#starts[middle]! <= at) low = middle;
      else high = middle;
    }
    return low;
  }
}
