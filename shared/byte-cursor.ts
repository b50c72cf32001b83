const [ZERO, NINE, DOT] = [0x30, 0x39, 0x2e];
/** Whole numbers of so many digits are exact, and so is what a division by a power of ten that small makes of them. */
const exactDigits = 15;
const powersOfTen = Array.from({ length: exactDigits + 1 }, (_, exponent) => 10 ** exponent);

function isDigit(byte: number): boolean {
  return byte >= ZERO && byte <= NINE;
}

/** Whether a byte can be part of a number: `-1.5e+30`. */
function isOfNumber(byte: number): boolean {
  return isDigit(byte) || byte === DOT || byte === 0x2b || byte === 0x2d || (byte | 0x20) === 0x65;
}

/**
 * A place in bytes of ASCII JSON that moves over what is expected there and stays where something else stands: several
 * times faster than a regular expression over a string made of them.
 */
export class ByteCursor {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  at: number;

  constructor(bytes: Uint8Array, at: number) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.at = at;
  }

  /** Moves behind `text` where it stands here. */
  skip(text: Uint8Array): boolean {
    const [bytes, { at }] = [this.#bytes, this];
    for (let i = 0; i < text.length; i++) if (bytes[at + i] !== text[i]) return false;
    this.at = at + text.length;
    return true;
  }

  /**
   * Moves behind what stands between two other places of the bytes, where the same stands here. Eight bytes are compared at a
   * time, as one number: numbers are equal only where their bytes are, but for two zeros, and text has no byte that is 0.
   */
  skipAgain(start: number, stop: number): boolean {
    const { at } = this;
    const [bytes, view, length] = [this.#bytes, this.#view, stop - start];
    if (at + length > bytes.length) return false;
    let i = 0;
    for (; i + 8 <= length; i += 8)
      if (view.getFloat64(start + i, true) !== view.getFloat64(at + i, true)) return false;
    for (; i < length; i++) if (bytes[start + i] !== bytes[at + i]) return false;
    this.at = at + length;
    return true;
  }

  /** Moves before `text` where it ends here. */
  skipBack(text: Uint8Array): boolean {
    const start = this.at - text.length;
    this.at = start;
    const isThere = this.skip(text);
    this.at = isThere ? start : start + text.length;
    return isThere;
  }

  /** Moves behind `key` and the whole number after it, which it gives; -1 where they do not stand here. */
  numberAfter(key: Uint8Array): number {
    const start = this.at;
    if (!this.skip(key)) return -1;
    const value = this.number();
    if (value < 0) this.at = start;
    return value;
  }

  /** Moves behind a whole number, which it gives; -1 where none stands here. */
  number(): number {
    const bytes = this.#bytes;
    let value = 0;
    let { at } = this;
    for (let byte = bytes[at]!; isDigit(byte); byte = bytes[++at]!)
      value = value * 10 + byte - ZERO;
    const digits = at - this.at;
    if (digits === 0 || digits > exactDigits) return -1;
    this.at = at;
    return value;
  }

  /** Moves before `key` where it and a number end here, and gives the number; undefined where they do not. */
  numberBackTo(key: Uint8Array): number | undefined {
    const stop = this.at;
    let start = stop;
    while (start > 0 && isOfNumber(this.#bytes[start - 1]!)) start--;
    this.at = start;
    const value = start < stop && this.skipBack(key) ? this.#number(start, stop) : NaN;
    if (!Number.isNaN(value)) return value;
    this.at = stop;
    return undefined;
  }

  #number(start: number, stop: number): number {
    const bytes = this.#bytes;
    let value = 0;
    let digits = 0;
    let fraction = 0;
    for (let at = start; at < stop; at++) {
      const byte = bytes[at]!;
      if (isDigit(byte)) {
        value = value * 10 + byte - ZERO;
        digits++;
      } else if (byte === DOT && fraction === 0) fraction = stop - at - 1;
      else digits = Infinity;
    }
    if (digits <= exactDigits) return value / powersOfTen[fraction]!;
    return Number(String.fromCharCode(...bytes.subarray(start, stop)));
  }
}
