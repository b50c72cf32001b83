import { createReadStream } from "node:fs";
import { join } from "node:path";
import { buffer } from "node:stream/consumers";
import { asyncBufferFromFile, parquetMetadataAsync, parquetReadObjects } from "hyparquet";
import { extract } from "tar-stream";

/** The entries of a tar file in their order. */
export async function tarEntries(path: string): Promise<{ name: string; content: Buffer }[]> {
  const entries: { name: string; content: Buffer }[] = [];
  for await (const entry of createReadStream(path).pipe(extract()))
    entries.push({ name: entry.header.name, content: await buffer(entry) });
  return entries;
}

/** The rows of a Parquet file; bytes are not taken for text. */
export async function parquetObjects(folder: string, name: string) {
  const file = await asyncBufferFromFile(join(folder, name));
  return await parquetReadObjects({ file, utf8: false });
}

/** What a Parquet file says of itself under a key. */
export async function parquetKeyValue(folder: string, name: string, key: string) {
  const metadata = await parquetMetadataAsync(await asyncBufferFromFile(join(folder, name)));
  return metadata.key_value_metadata?.find((pair) => pair.key === key)?.value;
}
