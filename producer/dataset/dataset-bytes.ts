import { createReadStream } from "node:fs";
import { pipeline } from "node:stream";
import { createGunzip } from "node:zlib";
import { UsageError } from "../../shared/usage-error.ts";

const chunkBytes = 256 * 1024;
const utf8Mark = Buffer.from([0xef, 0xbb, 0xbf]);

/**
 * The bytes of a dataset in chunks, unzipped where the path ends in `.gz`, without a UTF-8 byte order mark.
 * @throws UsageError naming the path where it cannot be read, is not what `.gz` says, or is UTF-16
 */
export async function* readDatasetBytes(path: string): AsyncGenerator<Buffer> {
  const file = createReadStream(path, { highWaterMark: chunkBytes });
  // Its callback has nothing to do: an error also reaches the one who iterates.
  const bytes = /\.gz$/i.test(path)
    ? pipeline(file, createGunzip({ chunkSize: chunkBytes }), () => undefined)
    : file;
  try {
    yield* withoutByteOrderMark(bytes as AsyncIterable<Buffer>, path);
  } catch (error) {
    throw readError(error, path);
  } finally {
    bytes.destroy();
    file.destroy();
  }
}

async function* withoutByteOrderMark(
  chunks: AsyncIterable<Buffer>,
  path: string,
): AsyncGenerator<Buffer> {
  let first: Buffer | undefined = Buffer.alloc(0);
  for await (const chunk of chunks) {
    if (!first) {
      yield chunk;
      continue;
    }
    first = Buffer.concat([first, chunk]);
    if (first.length < utf8Mark.length) continue;
    yield afterMark(first, path);
    first = undefined;
  }
  if (first && first.length > 0) yield afterMark(first, path);
}

function afterMark(bytes: Buffer, path: string): Buffer {
  if ((bytes[0] === 0xff && bytes[1] === 0xfe) || (bytes[0] === 0xfe && bytes[1] === 0xff)) {
    throw new UsageError(`Expected ${path} to be UTF-8, it is UTF-16. Save it as UTF-8`);
  }
  return bytes.subarray(0, 3).equals(utf8Mark) ? bytes.subarray(3) : bytes;
}

function readError(error: unknown, path: string): unknown {
  if (!(error instanceof Error) || !("code" in error) || typeof error.code !== "string")
    return error;
  const { code, message } = error;
  if (code === "ENOENT") return new UsageError(`There is no dataset at ${path}`, { cause: error });
  if (code === "EISDIR")
    return new UsageError(`Expected ${path} to be a file, it is a directory`, { cause: error });
  if (code.startsWith("Z_")) {
    return new UsageError(`Expected ${path} to be a whole gzip file: ${message}`, { cause: error });
  }
  return new UsageError(`Cannot read the dataset at ${path}: ${message}`, { cause: error });
}
