import { createHash, randomBytes } from "node:crypto";
import { mkdir, readdir, readFile, rename, rm, stat, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { buffer } from "node:stream/consumers";
import { asError } from "../shared/caught.ts";
import { ifThere } from "../shared/if-there.ts";
import type { FoundImage } from "./run-source.ts";

/** Longer side of a thumbnail, in pixels: sharp at twice the density of a tile. */
const sidePx = 360;
/** Thumbnails made at once: workers on this machine need the processor more. */
const atOnce = 2;
/** Larger images are not decoded. */
const mostPixels = 100_000_000;
const forgetMs = 30 * 24 * 3_600_000;
/** No thumbnail takes as long to write: what is half written was left by a crash. */
const leftAfterMs = 3_600_000;

/** What bounds the cache. */
export interface ThumbnailsOptions {
  /** Bytes that are kept; the newest thumbnails stay. For a moment there may be a quarter more. Default 1 GB. */
  mostBytes?: number;
  /** Told where the cache could not be tidied. */
  onError: (error: Error) => void;
}

/** Small copies of images, made when they are first asked for and kept in a cache that may be removed at any time. */
export class Thumbnails {
  readonly #directory: string;
  readonly #making = new Map<string, Promise<Buffer>>();
  readonly #waiting: (() => void)[] = [];
  readonly #mostBytes: number;
  readonly #onError: (error: Error) => void;
  #busy = 0;
  /** Since the cache was last tidied. */
  #madeBytes = 0;
  #tidying: Promise<void> | undefined;

  /** `directory`: where they are kept; never a run directory. */
  constructor(directory: string, { mostBytes = 1e9, onError }: ThumbnailsOptions) {
    this.#directory = directory;
    this.#mostBytes = mostBytes;
    this.#onError = onError;
  }

  /**
   * The thumbnail of an image as WebP. A file that changed gets a new one.
   * @throws Error where it is no image or cannot be read
   */
  async get(image: FoundImage): Promise<Buffer> {
    const key = createHash("sha256").update(image.version).digest("hex");
    const cached = join(this.#directory, key.slice(0, 2), `${key}.webp`);
    const made = await ifThere(readFile(cached));
    if (made) return made;
    let making = this.#making.get(key);
    if (!making) {
      making = this.#make(image, cached).finally(() => this.#making.delete(key));
      this.#making.set(key, making);
    }
    return await making;
  }

  /** Removes what was made long ago, and what was made first where there is too much. Never twice at once. */
  tidy(now = Date.now()): Promise<void> {
    this.#tidying ??= this.#tidy(now)
      .catch((error: unknown) => this.#onError(asError(error)))
      .finally(() => (this.#tidying = undefined));
    return this.#tidying;
  }

  async #tidy(now: number): Promise<void> {
    this.#madeBytes = 0;
    let bytes = 0;
    for (const { path, size, mtimeMs } of await this.#kept()) {
      const age = now - mtimeMs;
      const isHalf = !path.endsWith(".webp");
      bytes += size;
      const isTooMuch = isHalf ? age > leftAfterMs : age > forgetMs || bytes > this.#mostBytes;
      if (isTooMuch) await rm(path, { force: true });
    }
  }

  /** All files of the cache, the newest first. */
  async #kept(): Promise<{ path: string; size: number; mtimeMs: number }[]> {
    const names = (await ifThere(readdir(this.#directory, { recursive: true }))) ?? [];
    const files = [];
    for (const name of names) {
      const path = join(this.#directory, name);
      // Another monitor may have removed it by now.
      const found = await ifThere(stat(path));
      if (found?.isFile()) files.push({ path, size: found.size, mtimeMs: found.mtimeMs });
    }
    return files.toSorted((a, b) => b.mtimeMs - a.mtimeMs);
  }

  async #make(image: FoundImage, cached: string): Promise<Buffer> {
    await this.#enter();
    try {
      const { default: sharp } = await import("sharp");
      const bytes = await sharp(await buffer(await image.read()), { limitInputPixels: mostPixels })
        .rotate()
        .resize(sidePx, sidePx, { fit: "inside", withoutEnlargement: true })
        .webp({ quality: 78 })
        .toBuffer();
      await mkdir(dirname(cached), { recursive: true });
      const temporary = `${cached}.${randomBytes(4).toString("hex")}`;
      await writeFile(temporary, bytes);
      await rename(temporary, cached);
      this.#madeBytes += bytes.length;
      if (this.#madeBytes > this.#mostBytes / 4) void this.tidy();
      return bytes;
    } finally {
      this.#leave();
    }
  }

  async #enter(): Promise<void> {
    if (this.#busy >= atOnce) await new Promise<void>((resolve) => this.#waiting.push(resolve));
    else this.#busy += 1;
  }

  #leave(): void {
    const next = this.#waiting.shift();
    if (next) next();
    else this.#busy -= 1;
  }
}
