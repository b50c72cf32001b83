import { hash } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { asError } from "../shared/caught.ts";
import { inOrder } from "../shared/in-order.ts";
import type { Log } from "../shared/log.ts";
import { openStore } from "../shared/open-store.ts";
import { repeat } from "../shared/repeat.ts";
import { isS3Location } from "../shared/s3-location.ts";
import { closeLimitMs, endsWithin } from "../shared/within.ts";
import { BucketSource } from "./bucket-source.ts";
import { FolderSource } from "./folder-source.ts";
import { KnownRun } from "./known-run.ts";
import { bucketsOf, foldersOf, type RunPlaces } from "./run-places.ts";
import type { RunSource } from "./run-source.ts";

/** How often folders and buckets are looked through for new runs, and journals for new lines. */
const discoverMs = 2_000;
const discoverInBucketsMs = 10_000;
const refreshMs = 400;
const bucketsAtOnce = 16;

/** The runs of the given places, kept up to date in the background. Only these are ever read or served. */
export class RunStore {
  readonly #places: RunPlaces;
  readonly #log: Log;
  readonly #byLocation = new Map<string, KnownRun>();
  readonly #troubles = new Map<string, string>();
  readonly #stopped = new AbortController();
  #loops: Promise<void>[] = [];
  /** For copies of journals. */
  #folder: string | undefined;

  constructor(places: RunPlaces, log: Log) {
    this.#places = places;
    this.#log = log;
  }

  /** Finds the runs that are there, then keeps looking until it is disposed of. */
  async start(): Promise<void> {
    await this.#discoverFolders();
    const { signal } = this.#stopped;
    const loop = (ms: number, work: () => Promise<void>) =>
      this.#loops.push(repeat(ms, signal, work, this.#onError));
    loop(discoverMs, () => this.#discoverFolders());
    loop(refreshMs, () => this.#refreshFolders());
    if (![...this.#places.roots, ...this.#places.directories].some(isS3Location)) return;
    this.#folder = await mkdtemp(join(tmpdir(), "imagemill-copies-"));
    await this.#discoverBuckets().catch((error: unknown) => this.#onError(asError(error)));
    loop(discoverInBucketsMs, () => this.#discoverBuckets());
    loop(refreshMs, () => this.#refreshBuckets());
  }

  /** All runs, the newest first. */
  all(): KnownRun[] {
    return [...this.#byLocation.values()].toSorted((a, b) =>
      b.file.createdAt.localeCompare(a.file.createdAt),
    );
  }

  find(id: string): KnownRun | undefined {
    for (const run of this.#byLocation.values()) if (run.file.id === id) return run;
    return undefined;
  }

  /** Looks through the folders at once for a run that may have just begun. */
  async lookFor(id: string): Promise<KnownRun | undefined> {
    await this.#discoverFolders();
    return this.find(id);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stopped.abort();
    // A storage that hangs is not waited for.
    await Promise.all(this.all().map(({ source }) => source.close()));
    await endsWithin(closeLimitMs, Promise.all(this.#loops));
    if (this.#folder) await rm(this.#folder, { recursive: true, force: true });
  }

  readonly #onError = (error: Error): void => {
    this.#tellOnce("", error);
  };

  async #discoverFolders(): Promise<void> {
    for (const directory of await foldersOf(this.#places))
      if (!this.#byLocation.has(directory))
        await this.#add(directory, async () => new FolderSource(directory));
  }

  async #discoverBuckets(): Promise<void> {
    const { s3 } = this.#places;
    const unknown = [...(await bucketsOf(this.#places))].filter(
      (location) => !this.#byLocation.has(location),
    );
    const add = (location: string) =>
      this.#add(location, async () => {
        const folder = join(this.#folder!, hash("sha256", location, "hex").slice(0, 16));
        return new BucketSource(await openStore(location, s3), folder);
      });
    for await (const _ of inOrder(unknown, bucketsAtOnce, add));
  }

  async #add(location: string, open: () => Promise<RunSource>): Promise<void> {
    const source = await open();
    const file = await source
      .readRun()
      .catch((error: unknown) => this.#tellOnce(location, asError(error)));
    if (file) this.#byLocation.set(location, new KnownRun(source, file));
    else await source.close();
  }

  async #refreshFolders(): Promise<void> {
    const smallestFirst = Array.from(this.#byLocation)
      .filter(([location]) => !isS3Location(location))
      .toSorted(([, a], [, b]) => a.journalBytes - b.journalBytes);
    for (const [location, run] of smallestFirst) await this.#refresh(location, run);
  }

  /** Some at a time, apart from the folders: a storage takes its time. */
  async #refreshBuckets(): Promise<void> {
    const runs = [...this.#byLocation].filter(([location]) => isS3Location(location));
    const refresh = ([location, run]: [string, KnownRun]) => this.#refresh(location, run);
    for await (const _ of inOrder(runs, bucketsAtOnce, refresh));
  }

  async #refresh(location: string, run: KnownRun): Promise<void> {
    if (this.#stopped.signal.aborted) return;
    const isThere = await run.refresh();
    if (!isThere && this.#byLocation.delete(location)) await run.source.close();
    if (run.trouble) this.#tellOnce(location, run.trouble);
  }

  /** `location`: empty where it is not known which run it is about. */
  #tellOnce(location: string, { message }: Error): undefined {
    if (this.#stopped.signal.aborted || this.#troubles.get(location) === message) return;
    this.#troubles.set(location, message);
    this.#log.warn({ ...(location && { run: location }) }, message);
  }
}
