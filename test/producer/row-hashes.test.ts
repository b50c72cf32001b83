import { appendFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { RowHashes } from "../../producer/row-hashes.ts";
import { UsageError } from "../../shared/usage-error.ts";
import { temporaryFolder } from "../helpers/temporary-folder.ts";

const hashOf = (n: number) => n.toString(16).padStart(16, "0");
const path = () => join(temporaryFolder(), "rows.bin");

async function* rows(hashes: readonly string[]): AsyncGenerator<{ row: number; hash: string }> {
  for (const [i, hash] of hashes.entries()) yield { row: i + 1, hash };
}

const numbers = (count: number) => Array.from({ length: count }, (_, i) => hashOf(i * 7 + 1));

/** A file of hashes as a first life leaves it. */
async function written(count: number): Promise<string> {
  const file = path();
  await using hashes = await RowHashes.open(file);
  for (const [i, hash] of numbers(count).entries()) hashes.add(i, hash);
  await hashes.flush();
  return file;
}

describe("RowHashes", () => {
  test("knows after reopening how many rows were written, and takes only later ones", async () => {
    const file = await written(3);
    await using hashes = await RowHashes.open(file);
    expect(hashes.count).toBe(3);
    hashes.add(2, hashOf(99));
    hashes.add(3, hashOf(4));
    await hashes.flush();
    expect(statSync(file).size).toBe(4 * 8);
    await expect(
      hashes.verify(rows([...numbers(3), hashOf(4)]), "data.csv"),
    ).resolves.toBeUndefined();
  });

  test("does not write before flush, and twice nothing", async () => {
    const file = path();
    await using hashes = await RowHashes.open(file);
    hashes.add(0, hashOf(1));
    expect(statSync(file).size).toBe(0);
    await hashes.flush();
    await hashes.flush();
    expect(statSync(file).size).toBe(8);
  });

  test("accepts the same rows and appended ones, over more rows than it reads at once", async () => {
    await using hashes = await RowHashes.open(await written(150_000));
    await expect(hashes.verify(rows(numbers(150_000)), "data.csv")).resolves.toBeUndefined();
    await expect(hashes.verify(rows(numbers(150_010)), "data.csv")).resolves.toBeUndefined();
  });

  test.each([0, 1, 65_535, 65_536, 149_999])(
    "names row %i + 1 where it has changed",
    async (changed) => {
      await using hashes = await RowHashes.open(await written(150_000));
      const now = numbers(150_000);
      now[changed] = hashOf(0);
      const verifying = hashes.verify(rows(now), "data.csv");
      await expect(verifying).rejects.toThrow(UsageError);
      await expect(verifying).rejects.toThrow(`row ${changed + 1} of data.csv has changed`);
    },
  );

  test("says how many rows were removed from the end", async () => {
    await using hashes = await RowHashes.open(await written(5));
    await expect(hashes.verify(rows(numbers(3)), "data.csv")).rejects.toThrow(
      "data.csv has 3 rows, but this run has read 5",
    );
    await expect(hashes.verify(rows([]), "data.csv")).rejects.toThrow("has 0 rows");
  });

  test("of a new run accept any dataset", async () => {
    await using hashes = await RowHashes.open(path());
    await expect(hashes.verify(rows([]), "data.csv")).resolves.toBeUndefined();
    await expect(hashes.verify(rows(numbers(2)), "data.csv")).resolves.toBeUndefined();
  });

  test("forget a torn last record, which is then written anew", async () => {
    const file = await written(2);
    appendFileSync(file, Buffer.from([1, 2, 3]));
    await using hashes = await RowHashes.open(file);
    expect(hashes.count).toBe(2);
    hashes.add(2, numbers(3)[2]!);
    await hashes.flush();
    await expect(hashes.verify(rows(numbers(3)), "data.csv")).resolves.toBeUndefined();
    expect(statSync(file).size).toBe(24);
  });
});
