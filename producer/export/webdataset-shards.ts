import { basename, extname } from "node:path";
import type { ExportForm } from "./export-form.ts";
import { featuresYaml } from "./features.ts";
import type { SpooledImages } from "./spool-images.ts";
import { TarFile } from "./tar-file.ts";
import { typedRow } from "./typed-row.ts";
import { type Shard, shardFolder, writeShards } from "./write-shards.ts";

/**
 * The extension of all images in the shards: it names the field of a sample, and readers want the same fields in each.
 * They look at the bytes for what an image is.
 */
function imageField({ extensions }: SpooledImages): string {
  return extensions[0]?.[0] ?? "png";
}

function webDatasetShard(path: string, images: SpooledImages): Shard {
  const tar = new TarFile(path);
  const field = imageField(images);
  return {
    add: async ({ row, file }, content) => {
      // Numbers only: what follows the first dot of a name is the field.
      const key = basename(file, extname(file));
      await tar.add(`${key}.${field}`, content);
      const json = JSON.stringify(typedRow(row, images.columns));
      await tar.add(`${key}.json`, Buffer.from(json));
    },
    finish: () => tar.finish(),
    release: () => tar.release(),
  };
}

/** Tar files of samples, each an image and its row as JSON: WebDataset's form. */
export const webDatasetShards: ExportForm = {
  write: (job) => writeShards(job, "tar", (path) => webDatasetShard(path, job.images)),
  columns: ({ columns }) => columns,
  card: (images) => {
    const field = imageField(images);
    return {
      dataFiles: [`${shardFolder}/train-*.tar`],
      features: [
        `- name: ${field}`,
        "  dtype: image",
        "- name: json",
        "  struct:",
        ...featuresYaml(images.columns).map((line) => `  ${line}`),
        "- name: __key__",
        "  dtype: string",
        "- name: __url__",
        "  dtype: string",
      ],
      example: `dataset[0]["${field}"], dataset[0]["json"]["prompt"]`,
      files: `A sample is \`KEY.${field}\` and \`KEY.json\`, which has the columns.`,
    };
  },
  note: (images) => {
    const { extensions } = images;
    if (extensions.length < 2) return undefined;
    const kinds = extensions.map(([extension, count]) => `${count} ${extension}`).join(", ");
    return (
      `the images are of several kinds (${kinds}): all are named .${imageField(images)}, since readers want the same ` +
      "fields in every sample; their bytes are as they were, and file_name has the real extension"
    );
  },
};
