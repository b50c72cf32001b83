import { mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { BucketSource } from "../monitor/bucket-source.ts";
import { FolderSource } from "../monitor/folder-source.ts";
import { KnownRun } from "../monitor/known-run.ts";
import type { RunSource } from "../monitor/run-source.ts";
import { openStore, type S3Options } from "../shared/open-store.ts";
import { isS3Location } from "../shared/s3-location.ts";
import { endsWithin } from "../shared/within.ts";

/** A long journal, or a storage that is away, is not waited for: progress shows the next time. */
const readMs = 2_000;

/** Runs that a command looks at, perhaps again and again: of their journals only what is new is read. */
export class SeenRuns implements AsyncDisposable {
  readonly #s3: S3Options | undefined;
  readonly #sources = new Set<RunSource>();
  readonly #opened = new Map<string, Promise<KnownRun | undefined>>();

  /** `s3`: how buckets are reached. */
  constructor(s3: S3Options | undefined) {
    this.#s3 = s3;
  }

  /** The run at a location; undefined where none can be read there. It may not have been read to its end yet. */
  async look(location: string): Promise<KnownRun | undefined> {
    let seen: KnownRun | undefined;
    const looking = async () => {
      const opened = this.#opened.get(location) ?? this.#open(location);
      this.#opened.set(location, opened);
      const run = (seen = await opened);
      if (run && (await run.look())) return;
      // It is looked for anew the next time.
      seen = undefined;
      this.#opened.delete(location);
      if (run) await this.#close(run.source);
    };
    await endsWithin(readMs, looking());
    return seen;
  }

  async #open(location: string): Promise<KnownRun | undefined> {
    const source = await this.#sourceOf(location);
    this.#sources.add(source);
    const file = await source.readRun().catch(() => undefined);
    if (file) return new KnownRun(source, file);
    await this.#close(source);
    return undefined;
  }

  async #close(source: RunSource): Promise<void> {
    this.#sources.delete(source);
    await source.close();
  }

  async #sourceOf(location: string): Promise<RunSource> {
    if (!isS3Location(location)) return new FolderSource(location);
    const store = await openStore(location, this.#s3);
    return new BucketSource(store, await mkdtemp(join(tmpdir(), "imagemill-copy-")));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const source of this.#sources) await source.close();
  }
}
