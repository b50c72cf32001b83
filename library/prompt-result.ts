import type { JournalLine } from "../shared/journal-line.ts";
import type {
  AttemptRecord,
  ImageRecord,
  PromptFailure,
  PromptState,
  Usage,
} from "../shared/result.ts";

/** What a prompt came to. */
export interface PromptResult {
  /** 0-based position of its row in the dataset. */
  index: number;
  /** The value of the id column, where one was named. */
  id?: string;
  /** Undefined where the row could not be read. */
  prompt?: string;
  /** The row's other columns. */
  columns: Record<string, unknown>;
  state: PromptState;
  /** Images by generation; `file` is relative to the run directory. Those that are missing are in `failures`. */
  images: ImageRecord[];
  failures: PromptFailure[];
  /** Every try at a call in the round that settled it. */
  attempts: AttemptRecord[];
  /** Why the row was never sent, where `state` is `rejected`; `row` is its 1-based number. */
  rejected?: { row: number; reason: string };
  usage?: Usage;
  /** US dollars for the images of this round, where prices are known. */
  costUsd?: number;
}

/** The result that a journal line tells of. */
export function resultOf(line: JournalLine): PromptResult {
  const { index, state, row, images, failures, attempts, rejected, usage, costUsd } = line;
  return {
    index,
    ...(row?.id !== undefined && { id: row.id }),
    ...(row && { prompt: row.prompt }),
    columns: row?.columns ?? {},
    state,
    images,
    failures,
    attempts,
    ...(rejected && { rejected: { row: rejected.row, reason: rejected.reason } }),
    ...(usage && { usage }),
    ...(costUsd !== undefined && { costUsd }),
  };
}
