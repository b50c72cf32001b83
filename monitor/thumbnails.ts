import { createHash, randomBytes } from "node:crypto";
import { mkdir, readdir, readFile, rename, rm, stat, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { buffer } from "node:stream/consumers";
import { ifThere } from "../shared/if-there.ts";
import type { FoundImage } from "./run-source.ts";

/** Longer side of a thumbnail, in pixels: sharp at twice the density of a tile. */
const sidePx = 360;
/** Thumbnails made at once: workers on this machine need the processor more. */
const atOnce = 2;
/** Larger images are not decoded. */
const mostPixels = 100_000_000;
const forgetMs = 30 * 24 * 3_600_000;

/** Small copies of images, made when they are first asked for and kept in a cache that may be removed at any time. */
export class Thumbnails {
  readonly #directory: string;
  readonly #making = new Map<string, Promise<Buffer>>();
  readonly #waiting: (() => void)[] = [];
  #busy = 0;

  /** `directory`: where they are kept; never a run directory. */
  constructor(directory: string) {
    this.#directory = directory;
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

  /** Removes what was made long ago. */
  async prune(now = Date.now()): Promise<void> {
    const names = (await ifThere(readdir(this.#directory, { recursive: true }))) ?? [];
    for (const name of names.filter((candidate) => candidate.endsWith(".webp"))) {
      const path = join(this.#directory, name);
      // Another monitor may have removed it by now.
      const { mtimeMs = now } = (await ifThere(stat(path))) ?? {};
      if (now - mtimeMs > forgetMs) await rm(path, { force: true });
    }
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
