import { describe, expect, test } from "vitest";
import { TarFile } from "../../../producer/export/tar-file.ts";

describe("a tar file on a disk that is full", () => {
  test.each([10, 100_000])(
    "fails with what the disk says, whenever it says so: entries of %i bytes",
    async (bytes) => {
      const tar = new TarFile("/dev/full");
      const fill = async () => {
        for (;;) await tar.add("entry", Buffer.alloc(bytes));
      };
      await expect(fill()).rejects.toThrow("ENOSPC");
      await expect(tar.finish()).rejects.toThrow("ENOSPC");
      tar.release();
    },
  );

  test("fails so also where the disk has said so before the next entry comes", async () => {
    const tar = new TarFile("/dev/full");
    await tar.add("first", Buffer.alloc(10));
    await expect(tar.finish()).rejects.toThrow("ENOSPC");
    await expect(tar.add("second", Buffer.alloc(10))).rejects.toThrow("ENOSPC");
  });
});
