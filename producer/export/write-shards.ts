import { mkdir, open, readdir, rename } from "node:fs/promises";
import { join } from "node:path";
import { inOrder } from "../../shared/in-order.ts";
import type { ExportJob } from "./export-form.ts";
import { ShardCut } from "./shard-cut.ts";
import { readSpool, type SpooledImage } from "./spool-images.ts";

/** Images that are read ahead of the one that is written. */
const readAhead = 8;

/** A file that is written image by image. */
export interface Shard {
  add(image: SpooledImage, content: Uint8Array): Promise<void>;
  /** Writes what is left. */
  finish(): Promise<void>;
  /** Releases what it holds, whole or not. */
  release(): void;
}

/** The folder of the shards. */
export const shardFolder = "data";

/**
 * Writes all images into shards in `data/`, named as Hugging Face names them, in dataset order and bounded memory. A
 * shard gets its name once it is whole; one that is there is kept.
 */
export async function writeShards(
  { folder, images, files, onImage }: ExportJob,
  extension: string,
  create: (path: string) => Shard,
): Promise<void> {
  const target = join(folder, shardFolder);
  await mkdir(target, { recursive: true });
  const whole = new Set(await readdir(target));
  const cut = new ShardCut(images.shardBytes);
  const read = async (image: SpooledImage, name: string) => {
    const content = whole.has(name) ? undefined : await files.read(image.file, image.fileBytes);
    return { image, name, content };
  };
  const named = mapEach(readSpool(images.path), (image) => ({
    image,
    name: shardName(cut.next(image.bytes), images.shards, extension),
  }));
  await using shards = new OneAtATime(target, create);
  for await (const { image, name, content } of inOrder(named, readAhead, (next) =>
    read(next.image, next.name),
  )) {
    if (content) await shards.add(name, image, content);
    onImage(image.fileBytes);
  }
  await shards.finish();
}

function shardName(shard: number, count: number, extension: string): string {
  return `train-${digits(shard)}-of-${digits(count)}.${extension}`;
}

function digits(value: number): string {
  return String(value).padStart(5, "0");
}

async function* mapEach<Item, Mapped>(items: AsyncIterable<Item>, map: (item: Item) => Mapped) {
  for await (const item of items) yield map(item);
}

/** The shard that is being written. */
class OneAtATime implements AsyncDisposable {
  readonly #folder: string;
  readonly #create: (path: string) => Shard;
  #current: { name: string; shard: Shard } | undefined;

  constructor(folder: string, create: (path: string) => Shard) {
    this.#folder = folder;
    this.#create = create;
  }

  async add(name: string, image: SpooledImage, content: Uint8Array): Promise<void> {
    if (this.#current?.name !== name) {
      await this.finish();
      this.#current = { name, shard: this.#create(this.#pathOf(`${name}.new`)) };
    }
    await this.#current.shard.add(image, content);
  }

  /** Makes the shard durable and gives it its name. */
  async finish(): Promise<void> {
    if (!this.#current) return;
    const { name, shard } = this.#current;
    await shard.finish();
    const file = await open(this.#pathOf(`${name}.new`), "r+");
    try {
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(this.#pathOf(`${name}.new`), this.#pathOf(name));
    this.#current = undefined;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#current?.shard.release();
  }

  #pathOf(name: string): string {
    return join(this.#folder, name);
  }
}
