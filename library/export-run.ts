import { z } from "zod";
import {
  ExportFormat,
  type ExportOptions,
  exportRun as exportImages,
  type ExportSummary,
} from "../producer/export/export-run.ts";
import { functionOption, parseOptions } from "../worker/providers/model-options.ts";
import { accessShape } from "./resolve-run.ts";

const Options = z.object({
  directory: z.string().min(1),
  s3: accessShape.s3,
  format: ExportFormat,
  to: z.string().min(1),
  onProgress: functionOption().optional(),
  shardBytes: z.int().min(1).optional(),
});

/**
 * Writes the images that a run has now as a dataset of its own, from its journal, in dataset order and bounded memory;
 * the run may be going on. The destination comes to be there as a whole or not at all: what was half done when a process
 * died is gone on with.
 * @throws UsageError for wrong options; where run or destination cannot be what was given, or the run has no image
 * @throws ExportStopped where an image is gone or damaged, or the disk is full or broken
 */
export async function exportRun(options: ExportOptions): Promise<ExportSummary> {
  parseOptions("exportRun", Options, options);
  return await exportImages(options);
}
