import type { DatasetRow } from "./dataset/build-row.ts";
import type { RowHashes } from "./row-hashes.ts";

/** Rows are read ahead until they have so many characters, whatever columns these are in. */
const mostCharacters = 4 * 1024 * 1024;

/** How rows are read ahead. */
export interface AheadOptions {
  rowsAhead: number;
  /** Rows beyond it are not the run's, and are not noted. */
  limit: number | null;
  hashes: RowHashes;
  /** Writes until it works; rejects when the run stops. */
  writing: (write: () => Promise<void>) => Promise<void>;
}

/**
 * The rows of a dataset, each once its hash and those of many after it are kept: where keeping is dear, it is not done for
 * each few rows that are sent.
 */
export async function* hashedAhead(
  rows: AsyncIterable<DatasetRow>,
  { rowsAhead, limit, hashes, writing }: AheadOptions,
): AsyncGenerator<DatasetRow> {
  let ahead: DatasetRow[] = [];
  let characters = 0;
  async function* kept(): AsyncGenerator<DatasetRow> {
    await writing(() => hashes.flush());
    yield* ahead;
    ahead = [];
    characters = 0;
  }
  for await (const row of rows) {
    ahead.push(row);
    if (limit !== null && row.index >= limit) break;
    hashes.add(row.index, row.hash);
    characters += row.ok ? row.characters : row.raw.length;
    if (ahead.length >= rowsAhead || characters >= mostCharacters) yield* kept();
  }
  yield* kept();
}
