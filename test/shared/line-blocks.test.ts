import { closeSync, openSync, readFileSync, readSync } from "node:fs";
import { open } from "node:fs/promises";
import { expect, test } from "vitest";
import { lineBlocks } from "../../shared/line-blocks.ts";

const memory = "/proc/self/mem";

/** A piece of this process' memory that has lines and is less than a block, and behind which nothing can be read. */
function pieceBeforeAGap(): { start: number; end: number } {
  const pieces = readFileSync("/proc/self/maps", "utf8")
    .split("\n")
    .flatMap((line) => {
      const [, start, end, mode] = /^([0-9a-f]+)-([0-9a-f]+) (\S+)/.exec(line) ?? [];
      return mode ? [{ start: Number(`0x${start}`), end: Number(`0x${end}`), mode }] : [];
    });
  const found = pieces.findLast(
    ({ start, end, mode }, i) =>
      mode.startsWith("r") &&
      end - start < 400_000 &&
      end < (pieces[i + 1]?.start ?? end) &&
      hasLines(start, end),
  );
  if (!found) throw new Error("expected a small piece of memory with lines before a gap");
  return found;
}

function hasLines(start: number, end: number): boolean {
  const file = openSync(memory, "r");
  try {
    const bytes = Buffer.alloc(end - start);
    return (
      readSync(file, bytes, 0, bytes.length, start) > 0 &&
      bytes.indexOf("\n") < bytes.lastIndexOf("\n")
    );
  } finally {
    closeSync(file);
  }
}

test("a place that cannot be read ends the lines with its error, also while their reader does something else", async () => {
  const { start, end } = pieceBeforeAGap();
  const read = async () => {
    for await (const _ of lineBlocks(memory, start)) {
      // The next block is being read meanwhile, and fails before it is asked for.
      await using file = await open(memory);
      for (let tries = 0; tries < 20; tries++)
        await expect(file.read(Buffer.alloc(1), 0, 1, end)).rejects.toThrow("EIO");
    }
  };
  await expect(read()).rejects.toThrow("EIO");
});
