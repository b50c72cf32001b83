import { stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { isDiskTrouble, messageOf } from "../../shared/caught.ts";
import { Cleanup } from "../../shared/cleanup.ts";
import { damageIn } from "../../shared/damaged-journal.ts";
import type { RunFile, RunState } from "../../shared/run-file.ts";
import { locationOf } from "../../shared/run-location.ts";
import { isS3Location } from "../../shared/s3-location.ts";
import { journalPath } from "../../shared/state-files.ts";
import { UsageError } from "../../shared/usage-error.ts";
import { openPlaceForReading, type PlaceAccess } from "../open-place.ts";
import { datasetCard } from "../outputs/dataset-card.ts";
import { promptsSent } from "../outputs/run-counts.ts";
import { ExportFolder } from "./export-folder.ts";
import type { ExportForm } from "./export-form.ts";
import { ExportStopped } from "./export-stopped.ts";
import { FolderImages } from "./folder-images.ts";
import { imageFolder, jsonLines } from "./linked-images.ts";
import { parquetShards } from "./parquet-shards.ts";
import { defaultShardBytes } from "./shard-cut.ts";
import { spoolImages } from "./spool-images.ts";
import { StoredImages } from "./stored-images.ts";
import { webDatasetShards } from "./webdataset-shards.ts";

/** Forms that a run can be exported in. */
export const ExportFormat = z.enum(["imagefolder", "jsonl", "parquet", "webdataset"]);
export type ExportFormat = z.infer<typeof ExportFormat>;

const forms: Record<ExportFormat, ExportForm> = {
  imagefolder: imageFolder,
  jsonl: jsonLines,
  parquet: parquetShards,
  webdataset: webDatasetShards,
};

/** How far an export is. */
export interface ExportProgress {
  images: number;
  bytes: number;
  totalImages: number;
  totalBytes: number;
}

/** What to export, and where to. */
export interface ExportOptions extends Pick<PlaceAccess, "s3"> {
  /** The run directory or its `s3://` location. */
  directory: string;
  format: ExportFormat;
  /** A folder that is empty or not there yet. */
  to: string;
  /** Called for each image. */
  onProgress?: (progress: ExportProgress) => void;
  /** About the bytes of a Parquet or tar file. Default 500 MB. */
  shardBytes?: number;
}

/** What was exported. */
export interface ExportSummary {
  run: string;
  /** `unfinished`: the run had prompts to settle; what it had until then was exported. */
  state: RunState | "unfinished";
  format: ExportFormat;
  to: string;
  images: number;
  /** Of the image files. */
  bytes: number;
  /** Prompts that were settled, rejected rows left out. */
  prompts: number;
  /** What a person should know of the files. */
  note?: string;
}

/**
 * Writes the images that a run has now as a dataset of its own, from its journal, in dataset order and bounded memory;
 * the run may be going on. The destination comes to be there as a whole or not at all: what was half done when a process
 * died is gone on with.
 * @throws UsageError where run or destination cannot be what was given, or the run has no image
 * @throws ExportStopped where an image is gone or damaged, or the disk is full or broken
 */
export async function exportRun(options: ExportOptions): Promise<ExportSummary> {
  try {
    return await exportImages({ ...options, to: localPath(options.to) });
  } catch (error) {
    if (!isDiskTrouble(error)) throw error;
    throw new ExportStopped(
      `cannot go on exporting to ${options.to}: ${messageOf(error)}; once that is mended, the same command goes on`,
      { cause: error },
    );
  }
}

/** @throws UsageError */
function localPath(to: string): string {
  const path = locationOf(to);
  if (!isS3Location(path)) return path;
  throw new UsageError(
    `an export is made in a folder, not at ${to}: give a folder by --to, and copy it there`,
  );
}

async function exportImages(options: ExportOptions): Promise<ExportSummary> {
  const { format, to, onProgress, shardBytes = defaultShardBytes } = options;
  await using stack = new Cleanup();
  const place = await openPlaceForReading(options.directory, options);
  stack.defer(() => place.close());
  const { location, directory, store } = place;
  const run = await place.readRun();
  if (!run) throw new UsageError(`there is no run at ${location}`);
  const target = stack.use(await ExportFolder.open(to, location));
  await place.copyJournal();
  const journal = journalPath(directory);
  const files = store ? new StoredImages(store) : new FolderImages(directory);
  const source = { run, journal, location, files };
  const spool = join(target.state, "rows");
  const images = await spoolImages(source, spool, shardBytes).catch(damageIn(store));
  const { counts, bytes, sha256 } = images;
  if (counts.images === 0) throw new UsageError(`run ${run.id} has no image yet to export`);
  await target.begin([run.id, format, sha256, String(shardBytes)]);
  const progress = { images: 0, bytes: 0, totalImages: counts.images, totalBytes: bytes };
  const form = forms[format];
  await form.write({
    run,
    folder: target.files,
    images,
    files,
    onImage: (imageBytes) => {
      progress.images++;
      progress.bytes += imageBytes;
      onProgress?.(progress);
    },
  });
  const card = datasetCard(run, counts, form.columns(images), form.card(images));
  await writeFile(join(target.files, "README.md"), card);
  await target.place();
  const state = await stateOf(journal, run);
  const note = form.note?.(images);
  const prompts = promptsSent(counts);
  const summary = { run: run.id, state, format, to, images: counts.images, bytes, prompts };
  return { ...summary, ...(note !== undefined && { note }) };
}

/** The state that a run ended in; its summary is of an earlier end where the journal has grown since. */
async function stateOf(journal: string, run: RunFile): Promise<ExportSummary["state"]> {
  const { size } = await stat(journal);
  return run.summary && run.outputsAt === size ? run.summary.state : "unfinished";
}
