import { cutText } from "../../shared/cut-text.ts";

/** Bytes that one row may have; a longer one is rejected without ever being in memory as a whole. */
export const maxRowBytes = 16 * 1024 * 1024;

/** The bytes of one row as they stand in the dataset. `problem`: why it is no row; `bytes` is then its beginning. */
export interface RawRecord {
  bytes: Buffer;
  /** Number of its line in the file, from 1, where a row is a line. */
  line?: number;
  problem?: string;
}

/** Says that a row is over the limit. */
export function tooLong(byteLength: number, maxBytes: number): string {
  const [got, most] = [byteLength, maxBytes].map((bytes) => bytes.toLocaleString("en-US"));
  return `expected a row of at most ${most} bytes, got ${got}`;
}

/** The first 200 characters of a row, for people to find it. */
export function excerpt(row: Buffer | string): string {
  return cutText(typeof row === "string" ? row : row.toString("utf8", 0, 800), 200);
}

/** Collects the pieces of one row that comes in several chunks; what is over the limit is counted, not kept. */
export class RowBytes {
  readonly #maxBytes: number;
  #pieces: Buffer[] = [];
  #kept = 0;
  #seen = 0;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  append(piece: Buffer): void {
    if (piece.length === 0) return;
    this.#seen += piece.length;
    const room = this.#maxBytes - this.#kept;
    if (room <= 0) return;
    const part = piece.length > room ? piece.subarray(0, room) : piece;
    this.#kept += part.length;
    this.#pieces.push(part);
  }

  /** The row so far; what follows belongs to the next one. */
  take(): RawRecord {
    const bytes = this.#pieces.length === 1 ? this.#pieces[0]! : Buffer.concat(this.#pieces);
    const seen = this.#seen;
    this.#pieces = [];
    this.#kept = 0;
    this.#seen = 0;
    return seen > this.#maxBytes ? { bytes, problem: tooLong(seen, this.#maxBytes) } : { bytes };
  }
}
