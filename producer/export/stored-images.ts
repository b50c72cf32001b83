import { mkdir, rename, stat } from "node:fs/promises";
import { dirname, join } from "node:path";
import { ifThere } from "../../shared/if-there.ts";
import type { ObjectStore } from "../../shared/object-store.ts";
import { imageDamaged, imagesGone, type ImageSource } from "./image-source.ts";

/** The image files of a run in an object store: each is fetched when its turn comes. */
export class StoredImages implements ImageSource {
  readonly #store: ObjectStore;
  /** The folder that was listed last: images are asked for in their order, 1,000 prompts a folder. */
  #listed: { folder: string; names: ReadonlySet<string> } | undefined;

  constructor(store: ObjectStore) {
    this.#store = store;
  }

  async has(file: string): Promise<boolean> {
    const folder = `${dirname(file)}/`;
    if (this.#listed?.folder !== folder) {
      const names = new Set<string>();
      for await (const { name } of this.#store.list(folder)) names.add(name);
      this.#listed = { folder, names };
    }
    return this.#listed.names.has(file);
  }

  async read(file: string, bytes: number): Promise<Uint8Array> {
    const found = await this.#store.get(file);
    if (!found) throw imagesGone(this.#store.location, 1, file);
    this.#requireLength(file, bytes, found.bytes.length);
    return found.bytes;
  }

  async place(file: string, bytes: number, folder: string): Promise<void> {
    const path = join(folder, file);
    if ((await ifThere(stat(path)))?.size === bytes) return;
    await mkdir(dirname(path), { recursive: true });
    const isThere = await this.#store.getFile(file, `${path}.new`);
    if (!isThere) throw imagesGone(this.#store.location, 1, file);
    this.#requireLength(file, bytes, (await stat(`${path}.new`)).size);
    await rename(`${path}.new`, path);
  }

  #requireLength(file: string, expected: number, got: number): void {
    if (got !== expected) throw imageDamaged(this.#store.location, file, expected, got);
  }
}
