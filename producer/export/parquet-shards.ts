import type { ColumnType } from "../outputs/column-type.ts";
import { type ImageCell, ParquetFile } from "../outputs/write-parquet.ts";
import type { ExportForm } from "./export-form.ts";
import { featuresJson } from "./features.ts";
import type { SpooledImages } from "./spool-images.ts";
import { type Shard, shardFolder, writeShards } from "./write-shards.ts";

/** The file of an image stands in its cell: it has no column of its own. */
function columnsOf({ columns }: SpooledImages): Map<string, ColumnType | "image"> {
  const others = [...columns].filter(([name]) => name !== "file_name");
  return new Map([["image", "image"], ...others]);
}

function parquetShard(path: string, columns: ReadonlyMap<string, ColumnType | "image">): Shard {
  const metadata = [{ key: "huggingface", value: featuresJson(columns) }];
  const file = new ParquetFile(path, columns, metadata);
  return {
    add: async ({ row, file: name, bytes }, content) => {
      const image: ImageCell = { bytes: content, path: name };
      row["image"] = image;
      await file.add(row, bytes);
    },
    finish: () => file.finish(),
    // It holds no file open.
    release: () => undefined,
  };
}

/** Parquet files that hold the images themselves, as Hugging Face `datasets` stores its feature `Image`. */
export const parquetShards: ExportForm = {
  write: async (job) => {
    const columns = columnsOf(job.images);
    await writeShards(job, "parquet", (path) => parquetShard(path, columns));
  },
  columns: columnsOf,
  card: () => ({
    dataFiles: [`${shardFolder}/train-*.parquet`],
    example: `dataset[0]["image"], dataset[0]["prompt"]`,
    files: `The files in \`${shardFolder}/\` hold the images, too.`,
  }),
};
