import { type FileHandle, open } from "node:fs/promises";

const blockBytes = 256 * 1024;
/** Lines in dataset order come from a few places of a journal, one for each round that it had. 8 MB in all. */
const mostBlocks = 32;

interface Block {
  buffer: Buffer;
  /** Fewer than a block's where the file ends in it. */
  bytes: number;
}

/**
 * Reads pieces of a file that lie close together but not in order, in large blocks of which the last used are kept. The file
 * must not change where it is read, and a piece must not be used any more when the next is asked for.
 */
export class BlockReader implements AsyncDisposable {
  readonly #file: FileHandle;
  /** By block number; the first one was not used for the longest time. */
  readonly #blocks = new Map<number, Block>();
  #lastUsed = -1;

  private constructor(file: FileHandle) {
    this.#file = file;
  }

  static async open(path: string): Promise<BlockReader> {
    return new BlockReader(await open(path));
  }

  /** The bytes from `offset` on, at once where they are in one block that is kept. */
  held(offset: number, length: number): Buffer | undefined {
    const number = Math.floor(offset / blockBytes);
    const start = offset - number * blockBytes;
    const block = this.#kept(number);
    return block && start + length <= block.bytes
      ? block.buffer.subarray(start, start + length)
      : undefined;
  }

  /** The bytes from `offset` on; fewer than `length` where the file ends before. */
  async read(offset: number, length: number): Promise<Buffer> {
    const piece = Buffer.allocUnsafe(length);
    let copied = 0;
    while (copied < length) {
      const number = Math.floor((offset + copied) / blockBytes);
      const { buffer, bytes } = this.#kept(number) ?? (await this.#load(number));
      const start = offset + copied - number * blockBytes;
      if (start >= bytes) break;
      copied += buffer.copy(piece, copied, start, bytes);
    }
    return piece.subarray(0, copied);
  }

  #kept(number: number): Block | undefined {
    const block = this.#blocks.get(number);
    if (block && number !== this.#lastUsed) this.#use(number, block);
    return block;
  }

  #use(number: number, block: Block): void {
    this.#blocks.delete(number);
    this.#blocks.set(number, block);
    this.#lastUsed = number;
  }

  async #load(number: number): Promise<Block> {
    const buffer = this.#spare();
    const position = number * blockBytes;
    const { bytesRead } = await this.#file.read(buffer, 0, blockBytes, position);
    const block = { buffer, bytes: bytesRead };
    this.#use(number, block);
    return block;
  }

  /** A buffer of the block that was not used for the longest time, or a new one while there may be more. */
  #spare(): Buffer {
    const oldest = this.#blocks.entries().next();
    if (this.#blocks.size < mostBlocks || oldest.done) return Buffer.allocUnsafe(blockBytes);
    const [number, { buffer }] = oldest.value;
    this.#blocks.delete(number);
    return buffer;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#file.close();
  }
}
