import { plural } from "../../shared/quantity.ts";
import { UsageError } from "../../shared/usage-error.ts";
import { maxRowBytes, type RawRecord, RowBytes } from "./raw-record.ts";
import { isBlank } from "./read-lines.ts";

const [QUOTE, BACKSLASH, COMMA] = [0x22, 0x5c, 0x2c];
const [OPEN_ARRAY, CLOSE_ARRAY, OPEN_OBJECT, CLOSE_OBJECT] = [0x5b, 0x5d, 0x7b, 0x7d];

/** Follows JSON text byte by byte; UTF-8 never has these bytes inside another character. */
class ArrayScanner {
  /** `before` the array, `inside` it, or `after` its end. */
  place: "before" | "inside" | "after" = "before";
  #depth = 0;
  #inString = false;
  #escaped = false;

  /** Position of the next byte from `at` on that ends an element, or the chunk's length. */
  next(chunk: Buffer, at: number): number {
    for (let position = at; position < chunk.length; position++) {
      const byte = chunk[position]!;
      if (this.#inString) this.#stepInString(byte);
      else if (byte === QUOTE) this.#inString = true;
      else if (byte === OPEN_ARRAY || byte === OPEN_OBJECT) this.#depth++;
      else if (this.#depth > 0) {
        if (byte === CLOSE_ARRAY || byte === CLOSE_OBJECT) this.#depth--;
      } else if (byte === COMMA || byte === CLOSE_ARRAY) return position;
    }
    return chunk.length;
  }

  #stepInString(byte: number): void {
    if (this.#escaped) this.#escaped = false;
    else if (byte === BACKSLASH) this.#escaped = true;
    else if (byte === QUOTE) this.#inString = false;
  }
}

/**
 * The elements of a JSON array, each as its own JSON text, without ever holding the whole array. An element may be
 * broken JSON: that shows when it is parsed. A file that ends too early ends in a record with a problem.
 * @throws UsageError where the text does not start with `[`
 */
export async function* splitJsonArray(
  chunks: AsyncIterable<Buffer>,
  path: string,
  maxBytes = maxRowBytes,
): AsyncGenerator<RawRecord> {
  const scanner = new ArrayScanner();
  const element = new RowBytes(maxBytes);
  let count = 0;
  for await (const chunk of chunks) {
    let at = scanner.place === "before" ? skipToArray(chunk, path) : 0;
    if (scanner.place === "before" && at < chunk.length) {
      scanner.place = "inside";
      at++;
    }
    while (scanner.place === "inside" && at < chunk.length) {
      const end = scanner.next(chunk, at);
      element.append(chunk.subarray(at, end));
      at = end + 1;
      if (end === chunk.length) break;
      if (chunk[end] === CLOSE_ARRAY) scanner.place = "after";
      const record = element.take();
      // `[]`, or a comma before the closing bracket.
      if (scanner.place === "after" && isBlank(record.bytes)) continue;
      count++;
      yield record;
    }
    if (scanner.place === "after" && at < chunk.length && !isBlank(chunk.subarray(at))) {
      yield {
        bytes: chunk.subarray(at),
        problem: "expected nothing after the array's closing `]`",
      };
      return;
    }
  }
  if (scanner.place === "before") throw notAnArray(path, "an empty file");
  if (scanner.place === "inside") {
    const problem = `expected \`]\` after ${plural(count, "element")}, the file ends too early`;
    yield { bytes: element.take().bytes, problem };
  }
}

/** Position of the opening bracket, or the chunk's length where only white space has come. */
function skipToArray(chunk: Buffer, path: string): number {
  let at = 0;
  while (at < chunk.length && isBlank(chunk.subarray(at, at + 1))) at++;
  if (at < chunk.length && chunk[at] !== OPEN_ARRAY) {
    throw notAnArray(path, `\`${chunk.toString("utf8", at, at + 20)}\``);
  }
  return at;
}

function notAnArray(path: string, got: string): UsageError {
  return new UsageError(
    `Expected ${path} to be a JSON array, got ${got}. If it has one JSON value on each line, say --format jsonl`,
  );
}
