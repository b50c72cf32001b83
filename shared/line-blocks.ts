import { type FileHandle, open } from "node:fs/promises";
import { ifThere } from "./if-there.ts";

/** Half a megabyte stays in the processor's cache between the system's copy and the reader. */
const chunkBytes = 512 * 1024;
/** Room before each chunk for the lines that the chunk before began. */
const carryBytes = 64 * 1024;
const LF = 0x0a;

/** Neighbouring lines of a file. */
export interface LineBlock {
  /** Whole lines, each with its line feed. Overwritten when the next block is asked for. */
  bytes: Buffer;
  /** Where they stand in the file. */
  offset: number;
  /** True for the block that has the file's last whole line, alone, or nothing. Every file ends with one. */
  isLast: boolean;
  /** Up to where the file was read. Behind the last block's bytes is what has no line feed yet. */
  end: number;
}

/**
 * The lines of a file from byte `from` (where a line begins), many at a time and without a copy of each: the next block is
 * read from the disk while the reader is at this one. A file that does not exist is empty.
 */
export async function* lineBlocks(path: string, from = 0): AsyncGenerator<LineBlock> {
  const file = await ifThere(open(path));
  if (!file) {
    yield { bytes: Buffer.alloc(0), offset: from, isLast: true, end: from };
    return;
  }
  const buffers = [0, 1].map(() => Buffer.allocUnsafe(carryBytes + chunkBytes));
  let end = from;
  let carry: Buffer = Buffer.alloc(0);
  let reading = readChunk(file, buffers[0]!, end);
  try {
    for (let count = 1; ; count++) {
      const chunk = await reading;
      if (chunk.length === 0) break;
      const offset = end - carry.length;
      end += chunk.length;
      const bytes = joined(carry, chunk);
      reading = readChunk(file, buffers[count % 2]!, end);
      // Its error is thrown when its turn comes, which may be after the reader had much to do.
      reading.catch(() => undefined);
      const stop = startOfLastLine(bytes);
      if (stop > 0) yield { bytes: bytes.subarray(0, stop), offset, isLast: false, end };
      carry = bytes.subarray(stop);
    }
    const stop = carry.lastIndexOf(LF) + 1;
    yield { bytes: carry.subarray(0, stop), offset: end - carry.length, isLast: true, end };
  } finally {
    await Promise.allSettled([reading]);
    await file.close();
  }
}

/** Reads what comes at a place of the file, and leaves room before it. */
async function readChunk(file: FileHandle, buffer: Buffer, position: number): Promise<Buffer> {
  const { bytesRead } = await file.read(buffer, carryBytes, chunkBytes, position);
  return buffer.subarray(carryBytes, carryBytes + bytesRead);
}

/** What was left and what follows, in one piece. */
function joined(carry: Buffer, chunk: Buffer): Buffer {
  if (carry.length > carryBytes) return Buffer.concat([carry, chunk]);
  const start = chunk.byteOffset - carry.length;
  const bytes = Buffer.from(chunk.buffer, start, carry.length + chunk.length);
  carry.copy(bytes);
  return bytes;
}

/** Where the last whole line begins: 0 where there are no two. */
function startOfLastLine(bytes: Buffer): number {
  const last = bytes.lastIndexOf(LF);
  return last <= 0 ? 0 : bytes.lastIndexOf(LF, last - 1) + 1;
}
