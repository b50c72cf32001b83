/** About the bytes of a shard: what Hugging Face makes, and what a reader on another continent can fetch in one go. */
export const defaultShardBytes = 500_000_000;

/** Says which shard each image belongs to: images stay in order, and no shard but for one large image is over its size. */
export class ShardCut {
  readonly #shardBytes: number;
  #shard = 0;
  #bytes = 0;

  constructor(shardBytes: number) {
    this.#shardBytes = shardBytes;
  }

  /** The shard of the next image, from 0. */
  next(bytes: number): number {
    if (this.#bytes > 0 && this.#bytes + bytes > this.#shardBytes) {
      this.#shard++;
      this.#bytes = 0;
    }
    this.#bytes += bytes;
    return this.#shard;
  }

  /** How many shards there are for the images so far. */
  get count(): number {
    return this.#shard + 1;
  }
}
