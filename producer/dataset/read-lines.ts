import { maxRowBytes, type RawRecord, RowBytes } from "./raw-record.ts";

const LF = 0x0a;
const CR = 0x0d;

/** The lines of a text without their ends (`\n` or `\r\n`). Blank lines, white space only, are left out. */
export async function* readLines(
  chunks: AsyncIterable<Buffer>,
  maxBytes = maxRowBytes,
): AsyncGenerator<RawRecord> {
  const row = new RowBytes(maxBytes);
  let lines = 0;
  for await (const chunk of chunks) {
    let start = 0;
    for (let end = chunk.indexOf(LF); end !== -1; end = chunk.indexOf(LF, start)) {
      row.append(chunk.subarray(start, end));
      start = end + 1;
      const line = lineOf(row.take(), ++lines);
      if (!isBlank(line.bytes)) yield line;
    }
    row.append(chunk.subarray(start));
  }
  const last = lineOf(row.take(), lines + 1);
  if (!isBlank(last.bytes)) yield last;
}

/** A line with its number, without a carriage return at its end. */
function lineOf({ bytes, problem }: RawRecord, line: number): RawRecord {
  if (problem !== undefined) return { bytes, line, problem };
  return { bytes: bytes.at(-1) === CR ? bytes.subarray(0, -1) : bytes, line };
}

/** True for nothing but ASCII white space. */
export function isBlank(bytes: Buffer): boolean {
  for (const byte of bytes) {
    if (byte !== 0x20 && (byte < 0x09 || byte > 0x0d)) return false;
  }
  return true;
}
