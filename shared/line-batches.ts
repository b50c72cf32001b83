import { open } from "node:fs/promises";
import { ifThere } from "./if-there.ts";

const chunkBytes = 1024 * 1024;
const LF = 0x0a;

/** A line without its line feed, and the position of its first byte in the file. */
export interface PlacedLine {
  bytes: Buffer;
  offset: number;
}

/**
 * The lines of a file from byte `from` (where a line begins) that end in a line feed, many at a time; `end` is the
 * position up to which the file was read. A file that does not exist has none.
 */
export async function* lineBatches(
  path: string,
  from = 0,
): AsyncGenerator<{ lines: PlacedLine[]; end: number }> {
  const file = await ifThere(open(path));
  if (!file) return;
  try {
    let begun: Buffer[] = [];
    let offset = from;
    let end = from;
    for (;;) {
      const chunk = Buffer.allocUnsafe(chunkBytes);
      const { bytesRead } = await file.read(chunk, 0, chunkBytes, end);
      if (bytesRead === 0) return;
      end += bytesRead;
      const lines: PlacedLine[] = [];
      let start = 0;
      for (
        let stop = chunk.indexOf(LF);
        stop !== -1 && stop < bytesRead;
        stop = chunk.indexOf(LF, start)
      ) {
        const part = chunk.subarray(start, stop);
        const bytes = begun.length === 0 ? part : Buffer.concat([...begun, part]);
        begun = [];
        lines.push({ bytes, offset });
        offset += bytes.length + 1;
        start = stop + 1;
      }
      if (start < bytesRead) begun.push(chunk.subarray(start, bytesRead));
      yield { lines, end };
    }
  } finally {
    await file.close();
  }
}
