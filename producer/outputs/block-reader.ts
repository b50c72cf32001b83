import { type FileHandle, open } from "node:fs/promises";

const BLOCK_BYTES = 1024 * 1024;
const MAX_BLOCKS = 32;

/**
 * Reads pieces of a file that lie close together but not in order, in large blocks of which the last used are kept.
 * The file must not change where it is read.
 */
export class BlockReader implements AsyncDisposable {
  readonly #file: FileHandle;
  /** By block number; the first one was not used for the longest time. */
  readonly #blocks = new Map<number, Buffer>();

  private constructor(file: FileHandle) {
    this.#file = file;
  }

  static async open(path: string): Promise<BlockReader> {
    return new BlockReader(await open(path));
  }

  /** The bytes from `offset` on; fewer than `length` where the file ends before. */
  async read(offset: number, length: number): Promise<Buffer> {
    const pieces: Buffer[] = [];
    let at = offset;
    while (at < offset + length) {
      const number = Math.floor(at / BLOCK_BYTES);
      const block = this.#kept(number) ?? (await this.#load(number));
      const start = at - number * BLOCK_BYTES;
      const piece = block.subarray(start, start + offset + length - at);
      if (piece.length === 0) break;
      pieces.push(piece);
      at += piece.length;
    }
    return pieces.length === 1 ? pieces[0]! : Buffer.concat(pieces);
  }

  #kept(number: number): Buffer | undefined {
    const block = this.#blocks.get(number);
    if (block) {
      this.#blocks.delete(number);
      this.#blocks.set(number, block);
    }
    return block;
  }

  async #load(number: number): Promise<Buffer> {
    const bytes = Buffer.allocUnsafe(BLOCK_BYTES);
    const { bytesRead } = await this.#file.read(bytes, 0, BLOCK_BYTES, number * BLOCK_BYTES);
    const block = bytes.subarray(0, bytesRead);
    this.#blocks.set(number, block);
    const oldest = this.#blocks.keys().next();
    if (this.#blocks.size > MAX_BLOCKS && !oldest.done) this.#blocks.delete(oldest.value);
    return block;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#file.close();
  }
}
