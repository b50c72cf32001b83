import { createWriteStream } from "node:fs";
import { pipeline } from "node:stream/promises";
import { pack } from "tar-stream";

/** A tar file that is written entry by entry, no faster than the disk takes it. The same entries give the same bytes. */
export class TarFile {
  readonly #pack = pack();
  readonly #written: Promise<void>;

  constructor(path: string) {
    this.#written = pipeline(this.#pack, createWriteStream(path));
    // An error is seen by the entry that it breaks, or at the end.
    this.#written.catch(() => undefined);
  }

  async add(name: string, content: Uint8Array): Promise<void> {
    try {
      await this.#entry(name, content);
    } catch (error) {
      // Where the file could not be written, that is what counts.
      await this.#written;
      throw error;
    }
  }

  async #entry(name: string, content: Uint8Array): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const header = { name, size: content.length, mtime: new Date(0) };
    const entry = this.#pack.entry(header, (error) => (error ? reject(error) : resolve()));
    entry.on("error", reject);
    entry.end(content);
    await promise;
  }

  async finish(): Promise<void> {
    this.#pack.finalize();
    await this.#written;
  }

  release(): void {
    this.#pack.destroy();
  }
}
