import { join } from "node:path";
import { expect, test } from "vitest";
import { buildRow, type DatasetRow } from "../../producer/dataset/build-row.ts";
import { hashedAhead } from "../../producer/hashed-ahead.ts";
import { RowHashes } from "../../producer/row-hashes.ts";
import { temporaryFolder } from "../helpers/temporary-folder.ts";

const hashBytes = 8;

async function* rows(count: number, about = ""): AsyncGenerator<DatasetRow> {
  for (let index = 0; index < count; index++)
    yield buildRow(
      { prompt: "a fox", about },
      index,
      { promptColumn: "prompt", paramFrom: {} },
      "",
    );
}

function write(work: () => Promise<void>): Promise<void> {
  return work();
}

/** Reads rows ahead, and tells before which row how many hashes were kept. */
async function readAhead(
  source: AsyncIterable<DatasetRow>,
  rowsAhead: number,
  limit: number | null,
) {
  let kept = 0;
  await using hashes = await RowHashes.open(join(temporaryFolder(), "rows.bin"), async (bytes) => {
    kept += bytes.length / hashBytes;
  });
  const seen: [index: number, kept: number][] = [];
  for await (const { index } of hashedAhead(source, { rowsAhead, limit, hashes, writing: write }))
    seen.push([index, kept]);
  return seen;
}

test("rows come in their order, once the hashes of so many of them are kept", async () => {
  expect(await readAhead(rows(5), 2, null)).toEqual([
    [0, 2],
    [1, 2],
    [2, 4],
    [3, 4],
    [4, 5],
  ]);
});

test("the row at the limit comes, and its hash is not kept: it is none of the run's", async () => {
  expect(await readAhead(rows(5), 4_000, 2)).toEqual([
    [0, 2],
    [1, 2],
    [2, 2],
  ]);
});

test("rows with long columns are not read ahead without end", async () => {
  const seen = await readAhead(rows(4, "x".repeat(2 * 1024 * 1024)), 4_000, null);
  expect(seen.map(([, kept]) => kept)).toEqual([2, 2, 4, 4]);
});

test("a dataset without rows gives none", async () => {
  expect(await readAhead(rows(0), 2, null)).toEqual([]);
});
