import { AssertionError } from "node:assert/strict";
import { existsSync } from "node:fs";
import { mkdir, readdir, rename, rm, stat, symlink, writeFile } from "node:fs/promises";
import { dirname, join, relative } from "node:path";
import { describe, expect, test } from "vitest";
import { isWholeImage } from "../../shared/image-check.ts";
import { localStorage } from "../../shared/local-storage.ts";
import { imagePath, StorageError, type ImageStorage } from "../../shared/storage.ts";
import { withFileSizeLimit } from "../helpers/file-size-limit.ts";
import { sampleImages } from "../../testing/sample-images.ts";
import { storageConformance, type StorageStage } from "../../testing/storage-conformance.ts";
import { temporaryFolder } from "../helpers/temporary-folder.ts";

async function filesOf(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => !entry.isDirectory())
    .map((entry) => relative(folder, join(entry.parentPath, entry.name)));
}

function openFolder(durable: boolean): () => Promise<StorageStage> {
  return async () => {
    const folder = temporaryFolder();
    return {
      storage: localStorage(folder, { durable }),
      other: localStorage(folder, { durable }),
      list: () => filesOf(folder),
      plant: async (file, bytes) => {
        await mkdir(dirname(join(folder, file)), { recursive: true });
        await writeFile(join(folder, file), bytes);
      },
      // Nobody, not even root, can make a folder where a file is.
      whileBroken: async (work) => {
        await writeFile(join(folder, "images"), "");
        await work();
        await rm(join(folder, "images"));
      },
    };
  };
}

describe.each([
  ["a folder", false],
  ["a folder, durably,", true],
])("%s as an image storage", (_, durable) => {
  test.each(storageConformance(openFolder(durable)))("$name", async ({ run }) => {
    await expect(run()).resolves.toBeUndefined();
  });
});

test.each([
  ["overwrites", "a valid image is never overwritten: the one in place is given back"],
  [
    "fails with any error",
    "trouble is a StorageError that names the file, leaves nothing behind and passes",
  ],
])("the suite finds a storage that %s", async (fault, name) => {
  const open = async (): Promise<StorageStage> => {
    const stage = await openFolder(false)();
    const careless: ImageStorage = {
      get: (path) => stage.storage.get(path),
      put: async (path, bytes, isValid) => {
        if (fault === "overwrites") await stage.plant(path, bytes);
        return await stage.storage.put(path, bytes, isValid).catch(() => {
          throw new Error("no");
        });
      },
    };
    return { ...stage, storage: careless, other: careless };
  };
  const check = storageConformance(open).find((candidate) => candidate.name === name);
  await expect(check!.run()).rejects.toThrow(AssertionError);
});

const anImage = sampleImages(2)[1]!;

const file = `${imagePath(3, 0)}.png`;

test("what is no image is replaced after its replacement by another was broken off by his death", async () => {
  const folder = temporaryFolder();
  const storage = localStorage(folder);
  const path = join(folder, file);
  for (const made of [dirname(path), join(folder, ".imagemill", "tmp")])
    await mkdir(made, { recursive: true });
  await writeFile(path, "torn");
  const { ino, mtimeNs } = await stat(path, { bigint: true });
  await writeFile(join(folder, ".imagemill", "tmp", `in-place-of-${ino}-${mtimeNs}`), anImage);
  expect(await storage.put(file, anImage, isWholeImage)).toBeUndefined();
  expect(await storage.get(file)).toEqual(anImage);
  expect(await filesOf(folder)).toEqual([file]);
}, 20_000);

test("a link to nowhere in the place of an image is trouble of the storage", async () => {
  const folder = temporaryFolder();
  await mkdir(dirname(join(folder, file)), { recursive: true });
  await symlink("nowhere", join(folder, file));
  const put = localStorage(folder).put(file, anImage, isWholeImage);
  await expect(put).rejects.toThrow(StorageError);
  await expect(put).rejects.toThrow(/00000003-0\.png: .* got a link to nowhere/);
});

describe.runIf(process.platform === "linux")("a disk that is full", () => {
  test("gives a StorageError with the path and leaves no half of an image, neither temporary nor in place", async () => {
    const folder = temporaryFolder();
    const storage = localStorage(folder);
    const put = withFileSizeLimit(100, () => storage.put(file, anImage, isWholeImage));
    await expect(put).rejects.toThrow(StorageError);
    await expect(put).rejects.toThrow(join(folder, file));
    expect(await filesOf(folder)).toEqual([]);
    expect(await storage.put(file, anImage, isWholeImage)).toBeUndefined();
  });
});

describe("a folder whose parent is a file", () => {
  test("gives a StorageError that names the path, for put and for get", async () => {
    const parent = join(temporaryFolder(), "file");
    await writeFile(parent, "");
    const storage = localStorage(join(parent, "run"));
    const path = join(parent, "run", file);
    await expect(storage.put(file, anImage, isWholeImage)).rejects.toThrow(path);
    await expect(storage.put(file, anImage, isWholeImage)).rejects.toThrow(StorageError);
    await expect(storage.get(file)).rejects.toThrow(path);
    await expect(storage.get(file)).rejects.toThrow(StorageError);
  });
});

describe("while a storage is open", () => {
  test("folders of its images that are removed are made again", async () => {
    const folder = temporaryFolder();
    const storage = localStorage(folder);
    await storage.put(file, anImage, isWholeImage);
    await rm(join(folder, "images"), { recursive: true });
    await storage.put(file, anImage, isWholeImage).catch(() => undefined);
    await storage.put(file, anImage, isWholeImage);
    expect(await filesOf(folder)).toEqual([file]);
  });

  test("its own folder is not made again where it was moved away: images wait until it is back", async () => {
    const folder = join(temporaryFolder(), "run");
    await mkdir(folder);
    const storage = localStorage(folder);
    await storage.put(file, anImage, isWholeImage);
    await rename(folder, `${folder}-elsewhere`);
    for (const _ of [1, 2])
      await expect(storage.put(file, anImage, isWholeImage)).rejects.toThrow(StorageError);
    expect(existsSync(folder)).toBe(false);
    await rename(`${folder}-elsewhere`, folder);
    expect(await storage.put(file, anImage, isWholeImage)).toEqual(anImage);
  });
});

describe("imagePath", () => {
  test("is made from numbers only, in shards of a thousand", () => {
    expect(imagePath(0, 0)).toBe("images/00000/00000000-0");
    expect(imagePath(999, 3)).toBe("images/00000/00000999-3");
    expect(imagePath(1000, 0)).toBe("images/00001/00001000-0");
    expect(imagePath(12_345_678, 12)).toBe("images/12345/12345678-12");
  });
});
