import assert from "node:assert/strict";
import { isWholeImage } from "../shared/image-check.ts";
import { StorageError, type ImageStorage } from "../shared/storage.ts";
import type { ConformanceCheck } from "./provider-under-test.ts";
import { sampleImages } from "./sample-images.ts";

/** A place for images that only one check uses. */
export interface StorageStage {
  storage: ImageStorage;
  /** A second storage of the same place, as another worker has it. */
  other: ImageStorage;
  /** Every object or file at the place, temporary ones included, by name. */
  readonly list: () => Promise<string[]>;
  /** Writes something past the storage. */
  readonly plant: (file: string, bytes: Uint8Array) => Promise<void>;
  /** Runs `work` while the place takes no writes. */
  readonly whileBroken: (work: () => Promise<void>) => Promise<void>;
}

const file = "images/00000/00000007-0.png";
const anImage = sampleImages(2)[1]!;
const anotherImage = sampleImages(1)[0]!;

async function requireStored({ storage, list }: StorageStage, image: Buffer): Promise<void> {
  const stored = await storage.get(file);
  assert.ok(stored && image.equals(stored), "get gives other bytes than were put");
  assert.deepEqual(await list(), [file], "something else than the image is left");
}

/** What is torn, as a crash of somebody else may leave it, is no image: it is replaced. */
async function replaces(torn: Uint8Array, stage: StorageStage): Promise<void> {
  await stage.plant(file, torn);
  assert.equal(await stage.storage.put(file, anImage, isWholeImage), undefined);
  await requireStored(stage, anImage);
}

async function oneOfMany(stage: StorageStage): Promise<void> {
  const { storage, other } = stage;
  const images = sampleImages(50);
  const puts = images.map((bytes, i) => (i % 2 ? storage : other).put(file, bytes, isWholeImage));
  const answers = await Promise.all(puts);
  const winners = images.filter((_, i) => answers[i] === undefined);
  assert.equal(winners.length, 1, "not exactly one put was told that its image stands");
  await requireStored(stage, winners[0]!);
  const others = answers.filter((answer) => answer !== undefined);
  assert.ok(others.every((answer) => winners[0]!.equals(answer)));
}

async function trouble(stage: StorageStage): Promise<void> {
  const { storage, list, whileBroken } = stage;
  await whileBroken(async () => {
    await assert.rejects(storage.put(file, anImage, isWholeImage), (error: unknown) => {
      assert.ok(error instanceof StorageError, `expected a StorageError, got ${String(error)}`);
      assert.match(error.message, /00000007-0\.png/);
      assert.ok(error.cause instanceof Error, "its cause is missing");
      return true;
    });
  });
  assert.deepEqual(await list(), []);
  assert.equal(await storage.put(file, anImage, isWholeImage), undefined);
  await requireStored(stage, anImage);
}

const checks: Record<string, (stage: StorageStage) => Promise<void>> = {
  "what was put is got, byte for byte, and nothing else is left": async (stage) => {
    assert.equal(await stage.storage.put(file, anImage, isWholeImage), undefined);
    await requireStored(stage, anImage);
  },
  "a file that is not there is undefined": async ({ storage }) => {
    assert.equal(await storage.get(file), undefined);
  },
  "a valid image is never overwritten: the one in place is given back": async (stage) => {
    await stage.storage.put(file, anImage, isWholeImage);
    const standing = await stage.other.put(file, anotherImage, isWholeImage);
    assert.ok(standing && anImage.equals(standing));
    await requireStored(stage, anImage);
  },
  "a file that is empty is replaced": (stage) => replaces(new Uint8Array(), stage),
  "a file that is cut off is replaced": (stage) =>
    replaces(anImage.subarray(0, anImage.length / 2), stage),
  "of 50 puts of one file at once exactly one stands, whole, and all others are told of it":
    oneOfMany,
  "of 50 puts at once over what is no image exactly one stands, whole": async (stage) => {
    await stage.plant(file, anImage.subarray(0, anImage.length / 2));
    await oneOfMany(stage);
  },
  "trouble is a StorageError that names the file, leaves nothing behind and passes": trouble,
};

/**
 * Everything that an image storage has to do, for any test runner, as in
 * `for (const { name, run } of storageConformance(open)) test(name, run)`. `open` gives a new, empty place each time.
 */
export function storageConformance(open: () => Promise<StorageStage>): ConformanceCheck[] {
  return Object.entries(checks).map(([name, check]) => ({
    name,
    run: async () => check(await open()),
  }));
}
