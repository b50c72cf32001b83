import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { checkImage } from "../../shared/image-check.ts";
import { StorageError, type ImageStorage } from "../../shared/storage.ts";

/** A place for images that only one test uses. */
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

const fixture = (name: string) =>
  readFileSync(new URL(`../fixtures/images/${name}`, import.meta.url));
/** Two images that are valid and differ. */
export const anImage: Uint8Array = fixture("noise.png");
export const anotherImage: Uint8Array = fixture("baseline.jpg");

/** Whether bytes are a whole image, as workers ask storage to see it. */
export function isImage(bytes: Uint8Array): boolean {
  try {
    checkImage(bytes);
    return true;
  } catch {
    return false;
  }
}

/** A JPEG image like this one with a comment in it: another valid image of another length. */
function withComment(jpeg: Uint8Array, number: number): Buffer {
  const comment = Buffer.alloc(4 + number * 997, number);
  comment.writeUInt16BE(0xfffe, 0);
  comment.writeUInt16BE(comment.length - 2, 2);
  return Buffer.concat([jpeg.subarray(0, 2), comment, jpeg.subarray(2)]);
}

/** Tests that every image storage has to pass. `open` gives a new, empty place for each test. */
export function storageConformance(name: string, open: () => Promise<StorageStage>): void {
  const file = "images/00000/00000007-0.png";

  describe(`${name} as an image storage`, () => {
    test("what was put is got, byte for byte, and nothing else is left", async () => {
      const { storage, list } = await open();
      expect(await storage.put(file, anImage, isImage)).toBeUndefined();
      expect(Buffer.from((await storage.get(file))!)).toEqual(Buffer.from(anImage));
      expect(await list()).toEqual([file]);
    });

    test("a file that is not there is undefined", async () => {
      const { storage } = await open();
      expect(await storage.get(file)).toBeUndefined();
    });

    test("a valid image is never overwritten: the one in place is given back", async () => {
      const { storage, other, list } = await open();
      await storage.put(file, anImage, isImage);
      const standing = await other.put(file, anotherImage, isImage);
      expect(Buffer.from(standing!)).toEqual(Buffer.from(anImage));
      expect(Buffer.from((await storage.get(file))!)).toEqual(Buffer.from(anImage));
      expect(await list()).toEqual([file]);
    });

    test.each([
      ["empty", new Uint8Array()],
      ["cut off", anImage.subarray(0, anImage.length / 2)],
    ])("a file that is %s is replaced", async (_, torn) => {
      const { storage, plant, list } = await open();
      await plant(file, torn);
      expect(await storage.put(file, anImage, isImage)).toBeUndefined();
      expect(Buffer.from((await storage.get(file))!)).toEqual(Buffer.from(anImage));
      expect(await list()).toEqual([file]);
    });

    test("of 50 puts of one file at once exactly one stands, whole, and all others are told of it", async () => {
      const { storage, other, list } = await open();
      const images = Array.from({ length: 50 }, (_, i) => withComment(anotherImage, i));
      expect(images.every(isImage)).toBe(true);
      const answers = await Promise.all(
        images.map((bytes, i) => (i % 2 ? storage : other).put(file, bytes, isImage)),
      );
      const stored = Buffer.from((await storage.get(file))!);
      const winners = answers.flatMap((answer, i) => (answer === undefined ? [i] : []));
      expect(winners).toHaveLength(1);
      expect(stored.equals(images[winners[0]!]!)).toBe(true);
      expect(answers.every((answer) => answer === undefined || stored.equals(answer))).toBe(true);
      expect(await list()).toEqual([file]);
    });

    test("trouble is a StorageError that names the place, leaves nothing behind and passes", async () => {
      const { storage, list, whileBroken } = await open();
      await whileBroken(async () => {
        const put = storage.put(file, anImage, isImage);
        await expect(put).rejects.toThrow(StorageError);
        await expect(put).rejects.toMatchObject({
          message: expect.stringContaining("00000007-0.png"),
          cause: expect.any(Error),
        });
      });
      expect(await list()).toEqual([]);
      expect(await storage.put(file, anImage, isImage)).toBeUndefined();
      expect(await list()).toEqual([file]);
    });
  });
}
