import { createHash } from "node:crypto";
import { open } from "node:fs/promises";
import { extname } from "node:path";
import { z } from "zod";
import { Cleanup } from "../../shared/cleanup.ts";
import type { RunFile } from "../../shared/run-file.ts";
import type { ColumnType } from "../outputs/column-type.ts";
import { ImageColumns } from "../outputs/image-columns.ts";
import { readOrdered } from "../outputs/ordered-lines.ts";
import { LineFile } from "../outputs/output-files.ts";
import { readRows } from "../outputs/read-rows.ts";
import { countLine, noCounts, type RunCounts } from "../outputs/run-counts.ts";
import { imagesGone, type ImageSource } from "./image-source.ts";
import { ShardCut } from "./shard-cut.ts";

/** The images of an export as rows of a file, and what has to be known of all of them before the first is written. */
export interface SpooledImages {
  /** JSON lines, one for each image, in dataset order. */
  path: string;
  /** Of that file, in hexadecimal. */
  sha256: string;
  columns: ReadonlyMap<string, ColumnType>;
  counts: RunCounts;
  /** Of all images. */
  bytes: number;
  shards: number;
  shardBytes: number;
  /** How many images have which extension, the most frequent one first. */
  extensions: readonly (readonly [string, number])[];
}

/** What is exported. */
export interface SpoolSource {
  run: RunFile;
  /** The path of its journal, which may be a copy. */
  journal: string;
  /** Of the run, for people. */
  location: string;
  files: ImageSource;
}

/** One image on its way. */
export interface SpooledImage {
  row: Record<string, unknown>;
  /** Relative to the run's location. */
  file: string;
  /** Of the file. */
  fileBytes: number;
  /** Of the file and its row. */
  bytes: number;
}

const ImageFile = z.object({ file_name: z.string(), bytes: z.int() });

/** The images of a spool in dataset order. */
export async function* readSpool(path: string): AsyncGenerator<SpooledImage> {
  for await (const { row, bytes } of readRows(path)) {
    const image = ImageFile.parse(row);
    yield { row, file: image.file_name, fileBytes: image.bytes, bytes: bytes + image.bytes };
  }
}

/**
 * Writes the rows of all images that a run has now, from its journal, in bounded memory. The journal may be growing.
 * @throws ExportStopped where files of images are gone
 */
export async function spoolImages(
  { run, journal, location, files }: SpoolSource,
  path: string,
  shardBytes: number,
): Promise<SpooledImages> {
  const { costUsd, batches } = await readOrdered(journal);
  const counts = noCounts(costUsd);
  const columns = new ImageColumns(run);
  const tally = new Tally(location, files, shardBytes);
  await using stack = new Cleanup();
  const lines = new LineFile(await open(path, "w"));
  stack.defer(() => lines.close());
  for await (const batch of batches) {
    for (const line of batch) {
      countLine(counts, line);
      for (const row of columns.rows(line)) {
        const text = JSON.stringify(row);
        await tally.add(ImageFile.parse(row), text);
        lines.add(text);
      }
    }
    await lines.flushIfMuch();
  }
  await lines.flush();
  return { path, columns: columns.columns, counts, shardBytes, ...tally.end() };
}

/** What is added up over all images. */
class Tally {
  readonly #location: string;
  readonly #files: ImageSource;
  readonly #cut: ShardCut;
  readonly #hash = createHash("sha256");
  readonly #extensions = new Map<string, number>();
  #bytes = 0;
  #gone = 0;
  #firstGone = "";

  constructor(location: string, files: ImageSource, shardBytes: number) {
    this.#location = location;
    this.#files = files;
    this.#cut = new ShardCut(shardBytes);
  }

  async add({ file_name, bytes }: z.infer<typeof ImageFile>, text: string): Promise<void> {
    this.#hash.update(text);
    this.#cut.next(bytes + Buffer.byteLength(text));
    this.#bytes += bytes;
    const extension = extname(file_name).slice(1);
    this.#extensions.set(extension, (this.#extensions.get(extension) ?? 0) + 1);
    if (await this.#files.has(file_name)) return;
    if (this.#gone === 0) this.#firstGone = file_name;
    this.#gone++;
  }

  /** @throws ExportStopped where files of images are gone */
  end(): Pick<SpooledImages, "sha256" | "bytes" | "shards" | "extensions"> {
    if (this.#gone > 0) throw imagesGone(this.#location, this.#gone, this.#firstGone);
    return {
      sha256: this.#hash.digest("hex"),
      bytes: this.#bytes,
      shards: this.#cut.count,
      extensions: [...this.#extensions].toSorted(([, a], [, b]) => b - a),
    };
  }
}
