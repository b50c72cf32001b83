import { createReadStream } from "node:fs";
import { pipeline } from "node:stream";
import { createGunzip } from "node:zlib";
import type { RunFile } from "../shared/run-file.ts";

const LF = 0x0a;
const headerLines: Partial<Record<RunFile["source"]["format"], number>> = {
  jsonl: 0,
  txt: 0,
  csv: 1,
  tsv: 1,
};

/**
 * About how many rows a dataset has, by its lines: a run knows its rows only once it has read the last one. One that ends in
 * `.gz` is unzipped. Undefined where the format is no line format, or the file is not on this machine.
 */
export async function countRows({ source }: RunFile): Promise<number | undefined> {
  const headers = headerLines[source.format];
  if (headers === undefined) return undefined;
  let lines = 0;
  let last = LF;
  try {
    for await (const chunk of readBytes(source.path)) {
      if (!(chunk instanceof Uint8Array)) continue;
      for (let at = chunk.indexOf(LF); at !== -1; at = chunk.indexOf(LF, at + 1)) lines += 1;
      last = chunk.at(-1) ?? last;
    }
  } catch {
    // The dataset is on the producer's machine.
    return undefined;
  }
  return Math.max(0, lines + (last === LF ? 0 : 1) - headers);
}

function readBytes(path: string): AsyncIterable<unknown> {
  const file = createReadStream(path);
  // Its callback has nothing to do: an error also reaches the one who iterates.
  return /\.gz$/i.test(path) ? pipeline(file, createGunzip(), () => undefined) : file;
}
