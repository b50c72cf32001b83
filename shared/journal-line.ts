import { z } from "zod";
import { AttemptRecord, ImageRecord, PromptFailure, PromptState, Usage } from "./result.ts";

/** Version of journal lines. */
export const JOURNAL_VERSION = 1;

/** A dataset row as the journal keeps it, so that outputs need nothing but the journal. */
export const JournalRow = z.object({
  /** The value of `--id-column`. */
  id: z.string().optional(),
  prompt: z.string(),
  /** The dataset's other columns, as they were read. */
  columns: z.record(z.string(), z.unknown()),
});
export type JournalRow = z.infer<typeof JournalRow>;

/**
 * One line of `.imagemill/journal.jsonl`: what one prompt came to. A later line of the same index replaces an
 * earlier one. `newImages`, `calls` and the costs are what this line adds, so sums over all lines are totals.
 */
export const JournalLine = z.object({
  v: z.literal(JOURNAL_VERSION),
  index: z.int().min(0),
  round: z.int().min(0),
  state: PromptState,
  numGenerations: z.int().min(1),
  newImages: z.int().min(0),
  calls: z.int().min(0),
  retries: z.int().min(0),
  throttled: z.int().min(0),
  settledAt: z.int(),
  row: JournalRow.optional(),
  /**
   * Only where the state is `rejected`: 1-based row number in the dataset, 1-based line in the file where its format has
   * lines, why, and the start of what was read.
   */
  rejected: z
    .object({
      row: z.int().min(1),
      line: z.int().min(1).optional(),
      reason: z.string(),
      raw: z.string().optional(),
    })
    .optional(),
  images: z.array(ImageRecord),
  failures: z.array(PromptFailure),
  attempts: z.array(AttemptRecord),
  usage: Usage.optional(),
  costUsd: z.number().optional(),
  /** The most that may be charged on top for calls that failed after the provider had them. */
  mayCostUsd: z.number().optional(),
});
export type JournalLine = z.infer<typeof JournalLine>;
